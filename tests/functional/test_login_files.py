# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""registry_login and what is in auth files already: other entries, key forms, formatting, credential helpers."""

from __future__ import annotations

import base64
import json
import os
import stat

import pytest

from devtools import images

PASSWORD = "wonder:land"
ENTRY = {"auth": base64.b64encode(f"alice:{PASSWORD}".encode()).decode()}
OTHER = {"auth": base64.b64encode(b"bob:builds").decode()}

# As docker writes it, with things that this collection does not know and a style of its own in places.
DOCUMENT = """\
{
\t"auths": {
\t\t"https://index.docker.io/v1/": {
\t\t\t"auth": "Ym9iOmJ1aWxkcw=="
\t\t},
\t\t"%s": {
\t\t\t"auth": "Ym9iOmJ1aWxkcw==",
\t\t\t"identitytoken": "an-identity-token"
\t\t},
\t\t"z.example": {"auth": "Ym9iOmJ1aWxkcw==", "email": "bob\\u0040z.example"}
\t},
\t"HttpHeaders": {   "User-Agent": "Docker-Client\\/20.10" },
\t"detachKeys": "ctrl-e,e",
\t"plugins": {"x": [1.0, 1e3, null]}
}
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.json"


@pytest.fixture
def login(run_module, registry, file):
    """Return a function that logs alice in to ``registry``, which takes anybody, in ``file``."""

    def run(**options):
        given = {"host": registry.host, "username": "alice", "password": PASSWORD, "authfile": str(file)}
        return run_module("registry_login", **{**given, **options})

    return run


class TestFormat:
    def test_all_but_the_entry_stays_to_the_byte(self, login, registry, file):
        document = DOCUMENT % registry.host
        file.write_bytes(document.encode())
        assert login().changed is True
        entry = '"auth": "Ym9iOmJ1aWxkcw==",\n\t\t\t"identitytoken": "an-identity-token"'
        expected = document.replace(entry, f'"auth": "{ENTRY["auth"]}"')
        assert file.read_bytes() == expected.encode()
        assert login().changed is False
        assert login(state="absent", username=None, password=None).changed is True
        start, end = document.index(f'\t\t"{registry.host}"'), document.index('\t\t"z.example"')
        assert file.read_bytes() == (document[:start] + document[end:]).encode()

    def test_new_entry_among_others(self, login, registry, file):
        document = DOCUMENT % "r.example"
        file.write_text(document)
        login()
        last = '"email": "bob\\u0040z.example"}'
        entry = f',\n\t\t"{registry.host}": {{\n\t\t\t"auth": "{ENTRY["auth"]}"\n\t\t}}'
        assert file.read_text() == document.replace(last, last + entry)

    def test_indentation_of_people(self, login, registry, file):
        document = {"credHelpers": {"gcr.io": "gcloud"}, "auths": {"r.example": OTHER}, "other": 1}
        file.write_text(json.dumps(document, indent=4) + "\n")
        login()
        document["auths"][registry.host] = ENTRY
        assert file.read_text() == json.dumps(document, indent=4) + "\n"

    @pytest.mark.parametrize("text", ["", "{}", '{"auths": null}'])
    def test_nothing_in_it(self, login, registry, file, text):
        file.write_text(text)
        login()
        assert json.loads(file.read_text()) == {"auths": {registry.host: ENTRY}}

    @pytest.mark.parametrize("text", ["{not json", "[]", '{"auths": \udcff}'])
    def test_broken_file_is_named_and_left_alone(self, login, file, text):
        content = text.encode("utf-8", "surrogateescape")
        file.write_bytes(content)
        assert login().msg.startswith(f"the auth file {file} is not ")
        assert file.read_bytes() == content

    def test_broken_entry_is_replaced(self, login, registry, file):
        file.write_text(json.dumps({"auths": {registry.host: {"auth": "%%%"}}}))
        assert login().changed is True
        assert json.loads(file.read_text()) == {"auths": {registry.host: ENTRY}}

    def test_link_stays_a_link(self, login, registry, file, tmp_path):
        target = tmp_path / "elsewhere" / "auth.json"
        target.parent.mkdir()
        target.write_text("{}")
        file.symlink_to("elsewhere/auth.json")
        login()
        assert file.is_symlink()
        assert json.loads(target.read_text()) == {"auths": {registry.host: ENTRY}}
        assert [path.name for path in target.parent.iterdir()] == ["auth.json"]

    def test_link_to_a_missing_file(self, login, file, tmp_path):
        file.symlink_to("elsewhere/auth.json")
        login()
        assert file.is_symlink()
        assert stat.S_IMODE((tmp_path / "elsewhere/auth.json").stat().st_mode) == 0o600


class TestKeys:
    @pytest.mark.parametrize("form", ["%s", "http://%s", "https://%s/v1/", "%s/v2/"])
    def test_form_in_use_is_kept(self, login, registry, file, form):
        key = form % registry.host
        file.write_text(json.dumps({"auths": {key: OTHER}}))
        assert login().changed is True
        assert json.loads(file.read_text()) == {"auths": {key: ENTRY}}
        assert login().changed is False
        assert login(state="absent", username=None, password=None).changed is True
        assert json.loads(file.read_text()) == {"auths": {}}

    def test_all_forms_get_the_same(self, login, registry, file):
        keys = [registry.host, f"https://{registry.host}/v1/"]
        file.write_text(json.dumps({"auths": dict(zip(keys, (ENTRY, OTHER)))}))
        assert login().changed is True
        assert json.loads(file.read_text())["auths"] == dict.fromkeys(keys, ENTRY)
        assert login().changed is False
        login(state="absent", username=None, password=None)
        assert json.loads(file.read_text())["auths"] == {}

    def test_parts_of_a_registry_have_entries_of_their_own(self, login, registry, file):
        login()
        assert login(host=f"{registry.host}/team", username="bob", password="builds").changed is True
        auths = {registry.host: ENTRY, f"{registry.host}/team": OTHER}
        assert json.loads(file.read_text())["auths"] == auths
        login(state="absent", username=None, password=None)
        del auths[registry.host]
        assert json.loads(file.read_text())["auths"] == auths

    @pytest.mark.parametrize("given", ["docker.io", "index.docker.io", "registry-1.docker.io"])
    def test_docker_hub_has_many_names(self, login, file, given):
        file.write_text(
            json.dumps({"auths": {"docker.io": OTHER, "https://index.docker.io/v1/": OTHER, "gcr.io": OTHER}})
        )
        assert login(host=given, state="absent", username=None, password=None).changed is True
        assert json.loads(file.read_text())["auths"] == {"gcr.io": OTHER}


# A store as docker's helpers are: what it is told is kept in files, one for each server.
HELPER = """\
#!/bin/sh
echo "$1" >> "{directory}/log"
case "$1" in
store)
    python3 -c '
import json, sys
document = json.load(sys.stdin)
name = document["ServerURL"].replace("/", "_")
open("{directory}/" + name, "w").write(json.dumps(document))' ;;
get | erase)
    file={directory}/$(tr / _)
    if [ ! -f "$file" ]; then
        echo credentials not found in native keychain
        exit 1
    elif [ "$1" = get ]; then
        cat "$file"
    else
        rm "$file"
    fi ;;
esac
"""


class TestHelper:
    @pytest.fixture
    def store(self, tmp_path):
        """Return the directory of a credential helper named ``test``."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "store").mkdir()
        self.install(tmp_path, HELPER.replace("{directory}", str(tmp_path / "store")))
        return tmp_path / "store"

    @staticmethod
    def install(directory, script):
        program = directory / "bin" / "docker-credential-test"
        program.write_text(script)
        program.chmod(0o755)

    @pytest.fixture
    def login(self, login, store):
        path = f"{store.parent}/bin{os.pathsep}{os.environ['PATH']}"
        return lambda **options: login(env={"PATH": path}, **options)

    @pytest.fixture(params=["credHelpers", "credsStore"])
    def document(self, request, registry, file):
        """Return what is in the auth file: a helper for the registry, or a store for all."""
        value = "test" if request.param == "credsStore" else {registry.host: "test"}
        document = {request.param: value, "auths": {"r.example": OTHER}}
        file.write_text(json.dumps(document))
        return document

    @staticmethod
    def asked(store):
        lines = (store / "log").read_text().split()
        (store / "log").unlink()
        return lines

    def test_has_the_credentials_and_the_file_has_not(self, login, store, registry, file, document):
        predicted = login(check_mode=True)
        assert (predicted.changed, predicted.login) == (True, "alice")
        assert self.asked(store) == ["get"]
        assert login().changed is True
        stored = {"ServerURL": registry.host, "Username": "alice", "Secret": PASSWORD}
        assert json.loads((store / registry.host).read_text()) == stored
        if "credsStore" in document:
            document["auths"][registry.host] = {}
        assert json.loads(file.read_text()) == document
        assert "store" in self.asked(store)
        assert login().changed is False
        assert self.asked(store) == ["get"]

    def test_absent(self, login, store, registry, file, document):
        absent = {"state": "absent", "username": None, "password": None}
        assert login(**absent).changed is False
        login()
        assert login(check_mode=True, **absent).changed is True
        assert (store / registry.host).exists()
        assert login(**absent).changed is True
        assert not (store / registry.host).exists()
        assert json.loads(file.read_text()) == document
        assert login(**absent).changed is False

    def test_another_user(self, login, store, registry, document):
        login()
        result = login(diff=True, username="bob", password="builds")
        assert (result.changed, result.login, result.diff["before"]["login"]) == (True, "bob", "alice")
        assert json.loads((store / registry.host).read_text())["Username"] == "bob"

    def test_copy_reads_it(self, run_module, login, store, htpasswd_registry, repository, file, tmp_path):
        file.write_text(json.dumps({"credsStore": "test"}))
        assert login(host=htpasswd_registry.host).changed is True
        images.write_layout(images.index(), tmp_path / "layout", "1")
        options = {"src": f"oci:{tmp_path}/layout:1", "dest": f"{htpasswd_registry.host}/{repository}:1"}
        path = f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}"
        assert run_module("image_copy", env={"PATH": path}, authfile=str(file), **options).changed is True

    def test_secret_leaves_the_file(self, login, registry, file, document):
        """An entry in the file would win over a store, and is a secret in plain text beside a helper."""
        document["auths"][registry.host] = OTHER
        file.write_text(json.dumps(document))
        assert login().changed is True
        assert json.loads(file.read_text())["auths"] == {"r.example": OTHER, registry.host: {}}
        assert login().changed is False

    def test_part_of_a_registry_is_refused(self, login, registry, file, document):
        text = file.read_text()
        message = login(host=f"{registry.host}/team").msg
        assert (
            f"the credential helper docker-credential-test (configured in {file} for {registry.host}) cannot" in message
        )
        assert file.read_text() == text

    def test_failure_is_told_without_what_it_says(self, login, store, registry, file, document):
        self.install(
            store.parent, '#!/bin/sh\n[ $1 = get ] && echo "credentials not found in native keychain"; cat; exit 3'
        )
        text = file.read_text()
        result = login()
        helper = f"docker-credential-test (configured in {file} for {registry.host})"
        assert result.msg.startswith(f"the credential helper {helper} could not store the credentials (exit status 3).")
        assert PASSWORD not in result.stdout
        assert file.read_text() == text

    def test_missing_helper_is_named(self, login, store, file, document):
        (store.parent / "bin/docker-credential-test").unlink()
        assert f"docker-credential-test (configured in {file} for" in login().msg
