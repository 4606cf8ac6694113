// Copyright (c) 2026, the drayage.registry contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// ggcr serves the registry of go-containerregistry, which has the referrers API but never sends OCI-Subject, from memory.
package main

import (
	"io"
	"log"

	"github.com/google/go-containerregistry/pkg/registry"

	"drayage/servers/accesslog"
)

func main() {
	accesslog.Serve(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
}
