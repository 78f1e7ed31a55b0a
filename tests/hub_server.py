"""A small Hub on 127.0.0.1, kept in a folder: what huggingface_hub, datasets and evaluate ask of the real one.

    python -m tests.hub_server FOLDER      prints its address, serves until it is ended

Repositories of datasets and Spaces with git-like commits, LFS, tags, private repositories and permissions. A commit is
one file that appears at once or not at all. ``FOLDER/faults.json`` makes requests fail (see :class:`Hub`), and
``FOLDER/requests.log`` tells what was asked.
"""

import base64
import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

# Who may write where, by token.
USERS = {
    "hf_writer": {"name": "ada", "orgs": ("ORG", "OTHER")},
    "hf_reader": {"name": "bea", "orgs": ()},
}
LFS_SUFFIXES = (".parquet", ".png", ".zip", ".arrow")
PAGE = 1000


class Refused(Exception):
    """An answer that is no success: its status, the Hub's code for it, and a sentence."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def git_oid(data: bytes) -> str:
    """Return what git calls this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """Return the LFS pointer file that git holds in place of the content."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


class Hub:
    """The repositories in a folder.

    A fault is ``{"match": regular expression over "METHOD path", "status": int, "after": int, "times": int}``: after so
    many matching requests the next ones fail.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, threading.RLock()
        (folder / "blobs").mkdir(parents=True, exist_ok=True)

    def blob(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        path = self.folder / "blobs" / name
        if not path.exists():
            fresh = path.with_suffix(f".{threading.get_ident()}")
            fresh.write_bytes(data)
            fresh.rename(path)
        return name

    def content(self, sha256: str) -> bytes:
        return (self.folder / "blobs" / sha256).read_bytes()

    def place(self, kind: str, repo: str) -> Path:
        return self.folder / kind / repo

    def create(self, kind: str, repo: str, private: bool, sdk: str | None) -> None:
        place = self.place(kind, repo)
        if place.is_dir():
            raise Refused(409, "You already created this repo")
        (place / "commits").mkdir(parents=True)
        tree = {".gitattributes": self.file(b"*.parquet filter=lfs diff=lfs merge=lfs -text\n")}
        if kind == "spaces":
            tree["README.md"] = self.file(b"---\ntitle: new\nsdk: gradio\n---\n")
        write_json(place / "repo.json", {"private": private, "sdk": sdk})
        commit = self.write_commit(kind, repo, None, "initial commit", tree)
        self.write_refs(kind, repo, {"branches": {"main": commit}, "tags": {}})

    def file(self, data: bytes) -> dict[str, Any]:
        return {"blob": self.blob(data), "size": len(data), "oid": git_oid(data), "lfs": False}

    def write_commit(self, kind: str, repo: str, parent: str | None, title: str, tree: dict[str, Any]) -> str:
        document = {"parent": parent, "title": title, "tree": tree}
        name = hashlib.sha1(json.dumps(document, sort_keys=True).encode()).hexdigest()
        write_json(self.place(kind, repo) / "commits" / f"{name}.json", document)
        return name

    def write_refs(self, kind: str, repo: str, refs: dict[str, Any]) -> None:
        write_json(self.place(kind, repo) / "refs.json", refs)

    def refs(self, kind: str, repo: str) -> dict[str, Any]:
        return read_json(self.place(kind, repo) / "refs.json")

    def resolve(self, kind: str, repo: str, revision: str) -> tuple[str, dict[str, Any]]:
        """Return the commit and the tree of a branch, a tag or a commit."""
        refs = self.refs(kind, repo)
        name = refs["branches"].get(revision) or refs["tags"].get(revision) or revision
        path = self.place(kind, repo) / "commits" / f"{name}.json"
        if not re.fullmatch(r"[0-9a-f]{40}", name) or not path.exists():
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return name, read_json(path)["tree"]

    def commit(self, kind: str, repo: str, branch: str, lines: list[dict[str, Any]]) -> str:
        head, tree = self.resolve(kind, repo, branch)
        (header,) = (line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") not in (None, head):
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(tree)
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                tree[value["path"]] = self.file(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                path = self.folder / "blobs" / value["oid"]
                if not path.exists():
                    raise Refused(400, f"LFS object {value['oid']} of {value['path']} was never uploaded")
                size = path.stat().st_size
                tree[value["path"]] = {
                    "blob": value["oid"], "size": size, "oid": git_oid(pointer(value["oid"], size)), "lfs": True,
                }  # fmt: skip
            elif line["key"] == "deletedFile":
                if tree.pop(value["path"], None) is None:
                    raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
            elif line["key"] == "deletedFolder":
                gone = [path for path in tree if path.startswith(value["path"].rstrip("/") + "/")]
                if not gone:
                    raise Refused(404, "A folder with this name doesn't exist", "EntryNotFound")
                for path in gone:
                    del tree[path]
            elif line["key"] != "header":
                raise Refused(400, f"unknown operation {line['key']}")
        commit = self.write_commit(kind, repo, head, header["summary"], tree)
        refs = self.refs(kind, repo)
        refs["branches"][branch] = commit
        self.write_refs(kind, repo, refs)
        return commit

    def tag(self, kind: str, repo: str, name: str, revision: str) -> None:
        commit, _ = self.resolve(kind, repo, revision)
        refs = self.refs(kind, repo)
        if name in refs["tags"]:
            raise Refused(409, f"Tag {name} already exists")
        refs["tags"][name] = commit
        self.write_refs(kind, repo, refs)

    def fault(self, asked: str) -> int | None:
        path = self.folder / "faults.json"
        if not path.exists():
            return None
        faults = read_json(path)
        for fault in faults:
            if re.search(fault["match"], asked):
                if fault.get("after", 0):
                    fault["after"] -= 1
                elif fault["times"]:
                    fault["times"] -= 1
                    write_json(path, faults)
                    return fault["status"]
                write_json(path, faults)
        return None


def read_json(path: Path) -> Any:
    """Return the document in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, document: Any) -> None:
    """Put a document in a file that is there whole or not at all."""
    fresh = path.with_suffix(f".{threading.get_ident()}.tmp")
    fresh.write_text(json.dumps(document), encoding="utf-8")
    os.replace(fresh, path)


def path_info(path: str, file: dict[str, Any]) -> dict[str, Any]:
    """Return a file as the tree and paths-info endpoints tell it."""
    told = {"type": "file", "path": path, "size": file["size"], "oid": file["oid"]}
    if file["lfs"]:
        size = len(pointer(file["blob"], file["size"]))
        told["lfs"] = {"oid": file["blob"], "size": file["size"], "pointerSize": size}
    return told


def folder_infos(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every folder of a tree."""
    names = {"/".join(path.split("/")[:depth]) for path in tree for depth in range(1, path.count("/") + 1)}
    return {name: {"type": "directory", "path": name, "size": 0, "oid": git_oid(name.encode())} for name in names}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        """Route a request, and tell what went wrong as the Hub does."""
        length = self.headers.get("Content-Length")
        self.body = self.rfile.read(int(length)) if length else b"".join(self.chunks())
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        asked = f"{self.command} {url.path}"
        try:
            with self.hub.lock:
                with open(self.hub.folder / "requests.log", "a", encoding="utf-8") as log:
                    log.write(f"{asked} {self.headers.get('Range', '')}".rstrip() + "\n")
                if status := self.hub.fault(asked):
                    raise Refused(status, "made to fail")
                self.route(url.path)
        except Refused as refused:
            headers = {"X-Error-Message": str(refused)}
            if refused.code:
                headers["X-Error-Code"] = refused.code
            document = {"error": str(refused)}
            if refused.status == 409:
                # The client reads the address of a repository that is there from this very answer.
                document["url"] = getattr(self, "created", "")
            self.send(json.dumps(document).encode(), status=refused.status, headers=headers)

    def chunks(self) -> Iterator[bytes]:
        """Yield a body that was sent without telling its length."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return
        while size := int(self.rfile.readline().strip() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def route(self, path: str) -> None:
        if path == "/api/whoami-v2":
            user = self.user()
            if user is None:
                raise Refused(401, "Invalid username or password.")
            orgs = [{"name": name, "roleInOrg": "admin"} for name in user["orgs"]]
            auth = {"type": "access_token"}
            return self.send_json({"type": "user", "name": user["name"], "orgs": orgs, "auth": auth})
        if path == "/api/validate-yaml":
            return self.send_json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self.create()
        if match := re.fullmatch(r"/_lfs/([0-9a-f]{64})", path):
            if hashlib.sha256(self.body).hexdigest() != match[1]:
                raise Refused(400, "the content is not what its name says")
            self.hub.blob(self.body)
            return self.send(b"")
        if match := re.fullmatch(r"/(datasets|spaces)/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self.batch(match[1], match[2])
        if match := re.fullmatch(r"/(datasets|spaces)/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.file(match[1], match[2], unquote(match[3]), unquote(match[4]))
        if match := re.fullmatch(r"/api/(datasets|spaces)/([^/]+/[^/]+)(?:/([^/]+)(?:/([^/]+)(?:/(.+))?)?)?", path):
            kind, repo, verb, revision, rest = match.groups()
            self.check(kind, repo, write=verb in ("preupload", "commit", "tag"))
            known = {"revision", "tree", "paths-info", "preupload", "commit", "tag", "refs", None}
            if verb in known:
                method = getattr(self, f"api_{(verb or 'revision').replace('-', '_')}")
                return method(kind, repo, unquote(revision or "main"), unquote(rest or ""))
        raise Refused(404, f"no such address: {path}")

    def user(self) -> dict[str, Any] | None:
        return USERS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def may(self, repo: str) -> bool:
        user = self.user()
        return user is not None and repo.split("/")[0] in (user["name"], *user["orgs"])

    def check(self, kind: str, repo: str, *, write: bool) -> None:
        place = self.hub.place(kind, repo)
        if not place.is_dir() or (read_json(place / "repo.json")["private"] and not self.may(repo)):
            raise Refused(404 if self.user() else 401, "Repository not found", "RepoNotFound")
        if write and not self.may(repo):
            raise Refused(403 if self.user() else 401, "You don't have the rights to write to this repository")

    def create(self) -> None:
        asked = json.loads(self.body)
        user = self.user()
        if user is None:
            raise Refused(401, "Invalid username or password.")
        repo = f"{asked.get('organization') or user['name']}/{asked['name']}"
        kind = asked["type"] + "s"
        self.created = f"{self.address()}/{kind}/{repo}"
        if not self.may(repo):
            raise Refused(403, f"You don't have the rights to create a {asked['type']} under this namespace")
        if kind == "spaces" and asked.get("sdk") not in ("gradio", "static"):
            raise Refused(400, "a Space needs its sdk")
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.hub.create(kind, repo, private, asked.get("sdk"))
        self.send_json({"url": self.created, "name": repo, "id": repo})

    def batch(self, kind: str, repo: str) -> None:
        self.check(kind, repo, write=True)
        objects = []
        for one in json.loads(self.body)["objects"]:
            told = {"oid": one["oid"], "size": one["size"]}
            if not (self.hub.folder / "blobs" / one["oid"]).exists():
                told["actions"] = {"upload": {"href": f"{self.address()}/_lfs/{one['oid']}", "header": {}}}
            objects.append(told)
        self.send_json({"transfer": "basic", "objects": objects})

    def file(self, kind: str, repo: str, revision: str, path: str) -> None:
        self.check(kind, repo, write=False)
        commit, tree = self.hub.resolve(kind, repo, revision)
        if path not in tree:
            raise Refused(404, f"Entry not found: {path}", "EntryNotFound")
        file = tree[path]
        etag = file["blob"] if file["lfs"] else file["oid"]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if file["lfs"]:
            headers |= {"X-Linked-Size": str(file["size"]), "X-Linked-ETag": f'"{etag}"'}
        data, status = self.hub.content(file["blob"]), 200
        if match := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
            size = len(data)
            start = int(match[1]) if match[1] else max(0, size - int(match[2]))
            end = min(int(match[2]), size - 1) if match[1] and match[2] else size - 1
            if start >= size:
                return self.send(b"", status=416, headers={"Content-Range": f"bytes */{size}"})
            data, status = data[start : end + 1], 206
            headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        self.send(data, status=status, headers=headers, kind="application/octet-stream")

    def api_revision(self, kind: str, repo: str, revision: str, _: str) -> None:
        commit, tree = self.hub.resolve(kind, repo, revision)
        about = read_json(self.hub.place(kind, repo) / "repo.json")
        self.send_json(
            {
                "_id": git_oid(repo.encode())[:24], "id": repo, "author": repo.split("/")[0], "sha": commit,
                "private": about["private"], "sdk": about["sdk"], "gated": False, "disabled": False, "tags": [],
                "lastModified": "2025-01-01T00:00:00.000Z", "createdAt": "2025-01-01T00:00:00.000Z", "downloads": 0,
                "likes": 0, "siblings": [{"rfilename": path} for path in sorted(tree)],
            }
        )  # fmt: skip

    def api_refs(self, kind: str, repo: str, *_: str) -> None:
        refs = self.hub.refs(kind, repo)
        told = {
            which: [{"name": n, "ref": f"refs/{short}/{n}", "targetCommit": c} for n, c in refs[which].items()]
            for which, short in (("branches", "heads"), ("tags", "tags"))
        }
        self.send_json({**told, "converts": []})

    def api_tree(self, kind: str, repo: str, revision: str, folder: str) -> None:
        _, tree = self.hub.resolve(kind, repo, revision)
        entries = {**folder_infos(tree), **{path: path_info(path, file) for path, file in tree.items()}}
        below = folder.rstrip("/") + "/" if folder else ""
        if folder and folder not in entries:
            raise Refused(404, f"{folder} does not exist", "EntryNotFound")
        recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        found = [
            entries[path]
            for path in sorted(entries)
            if path.startswith(below) and (recursive or "/" not in path[len(below) :])
        ]
        self.send_json(found[:PAGE])

    def api_paths_info(self, kind: str, repo: str, revision: str, _: str) -> None:
        _, tree = self.hub.resolve(kind, repo, revision)
        if self.headers.get("Content-Type", "").startswith("application/json"):
            paths = json.loads(self.body)["paths"]
        else:
            paths = parse_qs(self.body.decode())["paths"]
        entries = {**folder_infos(tree), **{path: path_info(path, file) for path, file in tree.items()}}
        self.send_json([entries[path.rstrip("/")] for path in paths if path.rstrip("/") in entries])

    def api_preupload(self, kind: str, repo: str, revision: str, _: str) -> None:
        _, tree = self.hub.resolve(kind, repo, revision)
        told = []
        for file in json.loads(self.body)["files"]:
            mode = "lfs" if file["path"].endswith(LFS_SUFFIXES) or file["size"] > 10 * 2**20 else "regular"
            one = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
            if known := tree.get(file["path"]):
                one["oid"] = known["blob"] if known["lfs"] else known["oid"]
            told.append(one)
        self.send_json({"files": told})

    def api_commit(self, kind: str, repo: str, revision: str, _: str) -> None:
        lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        commit = self.hub.commit(kind, repo, revision, lines)
        url = f"{self.address()}/{kind}/{repo}/commit/{commit}"
        self.send_json({"success": True, "commitOid": commit, "commitUrl": url})

    def api_tag(self, kind: str, repo: str, revision: str, _: str) -> None:
        self.hub.tag(kind, repo, json.loads(self.body)["tag"], revision)
        self.send_json({})

    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def send_json(self, document: Any) -> None:
        self.send(json.dumps(document).encode())

    def send(
        self, data: bytes, *, status: int = 200, headers: dict[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def main() -> None:
    """Serve a folder until ended."""
    Handler.hub = Hub(Path(sys.argv[1]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
