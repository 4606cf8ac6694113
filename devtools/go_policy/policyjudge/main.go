// Copyright (c) 2026, the drayage.registry contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// policyjudge asks containers/image whether a policy accepts an image. It reads one question a line,
// {"policy": FILE, "registriesd": DIRECTORY, "image": "docker://..."}, and answers each with {"allowed": BOOL, "error": TEXT}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"

	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/transports/alltransports"
	"go.podman.io/image/v5/types"
)

type question struct {
	Policy      string `json:"policy"`
	RegistriesD string `json:"registriesd"`
	Image       string `json:"image"`
}

type answer struct {
	Allowed bool   `json:"allowed"`
	Error   string `json:"error"`
}

func judge(asked question) (bool, error) {
	ctx := context.Background()
	system := &types.SystemContext{
		RegistriesDirPath:           asked.RegistriesD,
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
	}
	policy, err := signature.NewPolicyFromFile(asked.Policy)
	if err != nil {
		return false, err
	}
	judging, err := signature.NewPolicyContext(policy)
	if err != nil {
		return false, err
	}
	defer judging.Destroy()
	reference, err := alltransports.ParseImageName(asked.Image)
	if err != nil {
		return false, err
	}
	source, err := reference.NewImageSource(ctx, system)
	if err != nil {
		return false, err
	}
	defer source.Close()
	return judging.IsRunningImageAllowed(ctx, image.UnparsedInstance(source, nil))
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked question
		var given answer
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			given.Error = err.Error()
		} else if allowed, err := judge(asked); err != nil {
			given.Error = err.Error()
		} else {
			given.Allowed = allowed
		}
		if err := out.Encode(given); err != nil {
			os.Exit(1)
		}
	}
}
