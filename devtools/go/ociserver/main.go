// Copyright (c) 2026, the drayage.registry contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// ociserver serves the registry of cuelabs.dev/go/oci/ociregistry, which has the referrers API, from memory.
package main

import (
	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"

	"drayage/servers/accesslog"
)

func main() {
	accesslog.Serve(ociserver.New(ocimem.NewWithConfig(&ocimem.Config{}), nil))
}
