# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_copy with referrers: everything that is attached arrives with the image, from and to places of every kind."""

from __future__ import annotations

import base64
import subprocess

import pytest
import requests

from devtools import attached, images, peers, provision
from devtools.observe import tally

FAMILY = attached.Family("copy-referrers")
SERVERS = ["oci_registry", "ggcr_registry", "registry", "modern_registry"]


def has_api(server):
    return hasattr(server, "source")


@pytest.fixture
def source(registry, repository):
    """Return a reference to FAMILY at a registry without the API."""
    FAMILY.push(registry.host, f"{repository}/source", "1", lists=True)
    return f"{registry.host}/{repository}/source:1"


class TestWhoCarriesWhat:
    """The index has three referrers, a child one, the SBOM one; and both have cosign's signature."""

    @pytest.mark.parametrize("to", SERVERS)
    @pytest.mark.parametrize("origin", SERVERS)
    def test_registries(self, copy_referrers, carried, request, repository, origin, to):
        first, second = request.getfixturevalue(origin), request.getfixturevalue(to)
        FAMILY.push(first.host, f"{repository}/source", "1", lists=not has_api(first))
        src, dest = f"{first.host}/{repository}/source:1", f"{second.host}/{repository}/copy:1"
        foreseen = copy_referrers(src, dest, check_mode=True)
        assert requests.get(f"{second.url}/v2/{repository}/copy/tags/list").status_code == 404
        result = copy_referrers(src, dest)
        assert not result.failed, result.msg
        assert carried(dest) == attached.EVERYTHING
        assert {one["action"] for one in result.referrers} == {"copied"}
        for name in ("changed", "digest", "referrers", "diff"):
            assert foreseen.raw.get(name) == result.raw.get(name), name
        assert copy_referrers(src, dest).changed is False

    @pytest.mark.parametrize("kind", ["oci", "oci-archive"])
    @pytest.mark.parametrize("server", SERVERS)
    def test_disk(self, copy_referrers, carried, request, repository, tmp_path, kind, server):
        server = request.getfixturevalue(server)
        FAMILY.push(server.host, f"{repository}/source", "1", lists=not has_api(server))
        src, disk = f"{server.host}/{repository}/source:1", f"{kind}:{tmp_path}/images"
        assert copy_referrers(src, f"{disk}:1").changed is True
        assert carried(disk) == attached.EVERYTHING
        assert copy_referrers(src, f"{disk}:1").changed is False
        dest = f"{server.host}/{repository}/copy:1"
        assert copy_referrers(disk, dest).changed is True
        assert carried(dest) == attached.EVERYTHING
        assert copy_referrers(disk, dest).changed is False

    @pytest.mark.parametrize("server", SERVERS)
    def test_bundle(self, bundle, run_module, carried, request, repository, tmp_path, server):
        """The layout of a set of images, as the roles for air gaps carry it."""
        server = request.getfixturevalue(server)
        FAMILY.push(server.host, f"{repository}/source", "1", lists=not has_api(server))
        place, [image] = bundle(f"{server.host}/{repository}/source")
        assert carried(f"{place}:{image}") == attached.EVERYTHING
        dest = f"{server.host}/{repository}/dst"
        result = run_module("image_sync", src=place, dest=dest, images=[{"name": "*"}], referrers=True)
        [there] = result.images
        assert (there["action"], carried(there["dest"])) == ("created", attached.EVERYTHING)

    @pytest.fixture
    def bundle(self, run_module, tmp_path):
        """Return a function that copies a repository into a layout, and returns this and the names of the images."""

        def export(source):
            place = f"oci:{tmp_path}/bundle"
            result = run_module("image_sync", dest=place, images=[{"name": source}], referrers=True)
            assert not result.failed, result.msg
            return place, [image["dest"].removeprefix(f"{place}:") for image in result.images]

        return export

    def test_peers_read_the_result(self, copy_referrers, bundle, request, source, repository, tmp_path):
        programs = {name: peers.find(name) for name in ("oras", "regctl")}
        if not all(programs.values()):
            pytest.skip("oras and regctl have to be built, and there is no Go toolchain")
        oras = peers.Oras(programs["oras"], tmp_path / "oras")
        regctl = peers.Regctl(programs["regctl"], tmp_path / "regctl")

        def check(name, place, layout=False):
            for subject in (FAMILY.image, FAMILY.child, FAMILY.sbom):
                wanted = {one.digest for one, of in FAMILY.referrers if of is subject}
                found = [regctl.referrers(f"{'ocidir://' if layout else ''}{place}@{subject.digest}")]
                if (
                    subject is FAMILY.image or not layout
                ):  # in a layout oras takes only digests of the index for manifests
                    found.append(oras.referrers(f"{place}@{subject.digest}", layout=layout))
                assert all(one == wanted for one in found), (name, subject.digest, found)
            tags = regctl.tags(f"{'ocidir://' if layout else ''}{place}")
            assert sum(tag.endswith(tuple(FAMILY.tags)) for tag in tags) == 2, name

        for name in SERVERS:
            server = request.getfixturevalue(name)
            copy_referrers(source, f"{server.host}/{repository}/copy:1")
            regctl.trust(server.host)
            check(name, f"{server.host}/{repository}/copy")
        copy_referrers(source, f"oci:{tmp_path}/layout:1")
        check("layout", f"{tmp_path}/layout", layout=True)
        copy_referrers(source, f"oci-archive:{tmp_path}/archive.tar:1")
        (tmp_path / "archive").mkdir()
        subprocess.run(["tar", "-xf", tmp_path / "archive.tar", "-C", tmp_path / "archive"], check=True, timeout=60)
        check("archive", f"{tmp_path}/archive", layout=True)
        bundle(source.rpartition(":")[0])
        check("bundle", f"{tmp_path}/bundle", layout=True)

    @pytest.mark.parametrize(
        ("name", "arguments", "counts"),
        [
            ("skopeo", ["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"], (0, 0, 0, False)),
            ("cosign", ["copy", "--allow-http-registry"], (0, 0, 0, True)),
            ("oras", ["cp", "-r", "--from-plain-http", "--to-plain-http"], (3, 1, 1, False)),
            ("regctl", ["image", "copy", "--referrers", "--digest-tags"], (3, 1, 1, True)),
        ],
    )
    def test_peers_carry_what_the_guide_says(
        self, carried, api_source, ggcr_registry, repository, tmp_path, name, arguments, counts
    ):
        path = provision.program("skopeo") if name == "skopeo" else peers.find(name)
        if not path:
            pytest.skip(f"{name} has to be built, and is not")
        peer = peers.Regctl(path, tmp_path / "peer")
        if name == "regctl":
            peer.trust(ggcr_registry.host, api_source.partition("/")[0])
        prefix = "docker://" if name == "skopeo" else ""
        dest = f"{ggcr_registry.host}/{repository}/copy:1"
        peer.run(*arguments, f"{prefix}{api_source}", f"{prefix}{dest}")
        assert carried(dest) == counts

    def test_layouts_of_peers_are_read(self, copy_referrers, carried, api_source, registry, repository, tmp_path):
        programs = {name: peers.find(name) for name in ("oras", "regctl")}
        if not all(programs.values()):
            pytest.skip("oras and regctl have to be built, and there is no Go toolchain")
        regctl = peers.Regctl(programs["regctl"], tmp_path / "regctl")
        regctl.trust(api_source.partition("/")[0])
        regctl.run("image", "copy", "--referrers", "--digest-tags", api_source, f"ocidir://{tmp_path}/regctl-layout:1")
        oras = peers.Oras(programs["oras"], tmp_path / "oras")
        oras.run("cp", "-r", "--from-plain-http", "--to-oci-layout", api_source, f"{tmp_path}/oras-layout:1")
        for layout, wanted in (("regctl-layout", attached.EVERYTHING), ("oras-layout", (3, 1, 1, False))):
            dest = f"{registry.host}/{repository}/{layout}:1"
            assert not copy_referrers(f"oci:{tmp_path}/{layout}", dest).failed
            assert carried(dest) == wanted

    def test_without_the_option_nothing_comes(self, copy_referrers, carried, api_source, registry, repository):
        dest = f"{registry.host}/{repository}:1"
        result = copy_referrers(api_source, dest, referrers=False)
        assert (carried(dest), result.referrers) == ((0, 0, 0, False), [])


class TestConverges:
    def test_what_is_attached_later_arrives(self, copy_referrers, carried, source, registry, oci_registry, repository):
        dest = f"{oci_registry.host}/{repository}:1"
        copy_referrers(source, dest)
        later = images.artifact("application/later", subject=FAMILY.image)
        every = [*FAMILY.referrers, (later, FAMILY.image)]
        attached.attach(every, registry.host, f"{repository}/source", lists=True)
        result = copy_referrers(source, dest, diff=True)
        assert result.changed
        assert [one["digest"] for one in result.referrers if one["action"] == "copied"] == [later.digest]
        assert result.raw["diff"]["after"]["referrers"] == sorted(
            [*result.raw["diff"]["before"]["referrers"], later.digest]
        )
        assert copy_referrers(source, dest).changed is False

    @pytest.mark.parametrize("to", ["oci_registry", "registry"])
    def test_what_is_attached_at_the_destination_only_stays(
        self, copy_referrers, run_module, request, source, repository, to
    ):
        server = request.getfixturevalue(to)
        images.push(FAMILY.image, server.host, f"{repository}/copy", "1")
        own = images.artifact("application/own", subject=FAMILY.image)
        attached.attach([(own, FAMILY.image)], server.host, f"{repository}/copy", lists=not has_api(server))
        dest = f"{server.host}/{repository}/copy:1"
        assert copy_referrers(source, dest).changed
        found = {one["digest"] for one in run_module("image_inspect", image=dest, referrers=True).referrers}
        assert found == {own.digest, *FAMILY.digests}

    def test_a_moved_signature_tag_arrives(self, copy_referrers, carried, source, registry, repository):
        dest = f"{registry.host}/{repository}/copy:1"
        copy_referrers(source, dest)
        tag = attached.cosign_tag(FAMILY.image)
        again = attached.cosign_signature(FAMILY.image.digest, b"signed", b"signed again")
        images.push(again, registry.host, f"{repository}/source", tag)
        assert copy_referrers(source, dest).changed
        stored = requests.get(
            f"{registry.url}/v2/{repository}/copy/manifests/{tag}", headers={"Accept": again.media_type}
        )
        assert stored.content == again.manifests[again.digest][1]
        assert copy_referrers(source, dest).changed is False

    @pytest.mark.parametrize("to", ["registry", "oci"])
    def test_signatures_of_both_sides_under_one_tag(
        self, copy_referrers, run_module, source, registry, repository, tmp_path, to
    ):
        """cosign keeps all signatures of an image under one tag: none of them is lost."""
        tag = attached.cosign_tag(FAMILY.image)
        dest = f"{registry.host}/{repository}/copy:1" if to == "registry" else f"oci:{tmp_path}/layout:1"
        copy_referrers(source, dest)
        own = attached.cosign_signature(FAMILY.image.digest, b"signed here")
        images.push(own, registry.host, f"{repository}/own", "own")
        run_module("image_copy", src=f"{registry.host}/{repository}/own:own", dest=dest[:-1] + tag)
        result = copy_referrers(source, dest)
        assert result.changed, result.msg
        layers = run_module("image_inspect", image=dest[:-1] + tag, verify=True)
        signatures = [layer["annotations"]["dev.cosignproject.cosign/signature"] for layer in layers.manifest["layers"]]
        assert signatures == [base64.b64encode(text).decode() for text in (b"signed here", b"signed")]
        assert layers.missing == []
        assert layers.config["rootfs"]["diff_ids"] == [layer["digest"] for layer in layers.manifest["layers"]]
        assert copy_referrers(source, dest).changed is False


class TestParts:
    def test_platforms_that_are_left_out(self, copy_referrers, carried, api_source, registry, repository):
        """An index that loses a child has another digest: what is attached to it does not fit any more."""
        dest = f"{registry.host}/{repository}:1"
        result = copy_referrers(api_source, dest, platforms=["linux/arm64"])
        assert carried(dest) == (0, 1, 0, False)
        assert (
            requests.get(f"{registry.url}/v2/{repository}/tags/list")
            .json()["tags"]
            .count(attached.cosign_tag(FAMILY.child))
            == 1
        )
        left_out = {one["digest"] for one in result.referrers if one["action"] == "left_out"}
        of_index = {FAMILY.sbom.digest, FAMILY.signature.digest, FAMILY.index.digest, FAMILY.of_sbom.digest}
        assert left_out == of_index | {FAMILY.tags[attached.cosign_tag(FAMILY.image)].digest}
        assert copy_referrers(api_source, dest, platforms=["linux/arm64"]).changed is False

    def test_sparse_keeps_what_is_attached_to_the_index(self, copy_referrers, carried, api_source, tmp_path):
        dest = f"oci:{tmp_path}/layout:1"
        result = copy_referrers(api_source, dest, platforms=["linux/amd64"], platform_mode="sparse")
        assert not result.failed, result.msg
        assert carried(dest)[:3] == (3, 0, 1)

    def test_artifact_types(self, copy_referrers, run_module, api_source, registry, repository):
        """The signature of the SBOM comes with the SBOM."""
        dest = f"{registry.host}/{repository}:1"
        copy_referrers(api_source, dest, artifact_types=[attached.SBOM_TYPE])
        found = {one["digest"] for one in run_module("image_inspect", image=dest, referrers=True).referrers}
        assert found == {FAMILY.sbom.digest, FAMILY.of_sbom.digest}
        assert copy_referrers(api_source, dest, artifact_types=[attached.SBOM_TYPE]).changed is False

    def test_conversion(self, copy_referrers, carried, api_source, registry, repository):
        dest = f"{registry.host}/{repository}:1"
        refused = copy_referrers(api_source, dest, format="docker")
        assert refused.failed
        assert "Use format: preserve, or remove_signatures: true to copy the image without them" in refused.msg
        result = copy_referrers(api_source, dest, format="docker", remove_signatures=True)
        assert not result.failed, result.msg
        assert {one["action"] for one in result.referrers} == {"left_out"}
        assert carried(dest) == (0, 0, 0, False)

    def test_places_that_cannot(self, copy_referrers, source, tmp_path):
        result = copy_referrers(source, f"docker-archive:{tmp_path}/image")
        assert result.failed
        assert (
            f"docker-archive:{tmp_path}/image:{source[:-2]}: engines and Docker archives cannot store referrers."
            in result.msg
        )


class TestOrderAndRequests:
    def test_referrers_come_before_the_tag(self, copy_referrers, api_source, registry, repository):
        registry.forget()
        copy_referrers(api_source, f"{registry.host}/{repository}:1")
        writes = [
            one.path.rpartition("/")[2]
            for one in registry.requests()
            if one.method == "PUT" and "manifests" in one.path
        ]
        assert writes[-1] == "1"
        assert set(writes) >= {attached.list_tag(FAMILY.image.digest), *FAMILY.tags}

    def test_unchanged_image_costs_one_request_more_on_each_side(
        self, copy_referrers, oci_registry, ggcr_registry, repository
    ):
        """With the API. The tags of cosign are in the list of tags, which is read once for a repository."""
        images.push(FAMILY.image, oci_registry.host, repository, "1")
        attached.attach(FAMILY.referrers, oci_registry.host, repository, lists=False)
        src, dest = f"{oci_registry.host}/{repository}:1", f"{ggcr_registry.host}/{repository}:1"
        copy_referrers(src, dest)
        oci_registry.forget()
        ggcr_registry.forget()
        assert copy_referrers(src, dest).changed is False
        assert tally(oci_registry.requests()) == {"HEAD manifest": 1, "GET referrers": 1, "GET tags": 1}
        assert tally(ggcr_registry.requests()) == {"HEAD manifest": 1, "GET referrers": 1}

    def test_nothing_attached_costs_the_destination_nothing(self, copy_referrers, registry, oci_registry, repository):
        images.push(FAMILY.image, registry.host, repository, "1")
        src, dest = f"{registry.host}/{repository}:1", f"{oci_registry.host}/{repository}:1"
        copy_referrers(src, dest)
        registry.forget()
        oci_registry.forget()
        assert copy_referrers(src, dest).changed is False
        assert tally(registry.requests()) == {"HEAD manifest": 1, "GET referrers": 1, "GET tags": 1}
        assert tally(oci_registry.requests()) == {"HEAD manifest": 1}

    def test_new_image(self, copy_referrers, oci_registry, repository, tmp_path):
        """One GET a manifest, and one of the referrers of each."""
        images.push(FAMILY.image, oci_registry.host, repository, "1")
        attached.attach(FAMILY.referrers, oci_registry.host, repository, lists=False)
        oci_registry.forget()
        copy_referrers(f"{oci_registry.host}/{repository}:1", f"oci:{tmp_path}/layout:1")
        manifests = 3 + 5 + 2  # the image; its referrers; the parts of the index that is one
        counts = tally(oci_registry.requests())
        assert counts["GET manifest"] == manifests
        assert counts["GET referrers"] == 3 + 5
        assert counts["GET tags"] == 1

    def test_a_promotion_moves_no_byte(self, copy_referrers, carried, source, registry, repository):
        registry.forget()
        result = copy_referrers(source, f"{registry.host}/{repository}/prod:1")
        assert (result.bytes_copied, result.blobs["copied"]) == (0, 0)
        assert carried(f"{registry.host}/{repository}/prod:1") == attached.EVERYTHING
