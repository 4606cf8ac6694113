// Copyright (c) 2026, the drayage.registry contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// lockjudge reads ImagesLock files by the rules of imgpkg, with the two libraries that imgpkg reads them with. It prints
// a line for each file: {"images": {REFERENCE: {ANNOTATION: TEXT}}}, or {"error": TEXT}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"sigs.k8s.io/yaml"
)

type lockFile struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Images     []struct {
		Image       string            `json:"image"`
		Annotations map[string]string `json:"annotations"`
	} `json:"images"`
}

type answer struct {
	Images map[string]map[string]string `json:"images,omitempty"`
	Error  string                       `json:"error,omitempty"`
}

func read(path string) (map[string]map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lock lockFile
	if err := yaml.UnmarshalStrict(content, &lock); err != nil {
		return nil, err
	}
	if lock.APIVersion != "imgpkg.carvel.dev/v1alpha1" || lock.Kind != "ImagesLock" {
		return nil, fmt.Errorf("unknown version or kind: %s %s", lock.APIVersion, lock.Kind)
	}
	images := map[string]map[string]string{}
	for _, entry := range lock.Images {
		if _, err := name.NewDigest(entry.Image); err != nil {
			return nil, err
		}
		images[entry.Image] = entry.Annotations
	}
	return images, nil
}

func main() {
	output := json.NewEncoder(os.Stdout)
	for _, path := range os.Args[1:] {
		images, err := read(path)
		found := answer{Images: images}
		if err != nil {
			found.Error = err.Error()
		}
		if err := output.Encode(found); err != nil {
			panic(err)
		}
	}
}
