#!/usr/bin/env python3
"""Builds the book as a site: target/book/index.html, beside the pages of rustdoc in target/doc.

    cargo install mdbook --locked     # once
    docs/book/build.py                # builds both, and checks every link of the site
    docs/book/build.py --no-doc       # does not run rustdoc again

The chapters and guides are modules of `evloop::guide`. Their links to items, `crate::task::spawn`,
are those of rustdoc. This script copies the texts and replaces each such link by the address of the
item's page. A link to a module of the guide becomes a link to its chapter.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
DOC, SOURCES, SITE = TARGET / "doc", TARGET / "book-src", TARGET / "book"
KINDS = "struct enum trait fn macro type constant union attr derive".split()
MEMBERS = "method tymethod variant structfield associatedconstant associatedtype".split()


def chapters():
    """The chapter of each module of `evloop::guide`: {"other_crates": "other-crates.md"}."""
    text = (ROOT / "src/guide.rs").read_text()
    # A module whose text needs a feature has a second attribute.
    pattern = r'docs/(?:book/)?([\w-]+\.md)"\)+\]\s*(?:#\[.*\]\s*)?pub mod (\w+)'
    return {module: name for name, module in re.findall(pattern, text)}


def reexport(folder, name):
    """The page of an item that `pub use` names in the module of this folder."""
    page = folder / "index.html"
    found = re.search(rf'id="reexport\.{name}".*?href="([^"]+)"[^>]*>{name}</a>', page.read_text())
    return (folder / found[1]).resolve() if found else None


def item_page(path):
    """The address of an item's page, from target: "doc/evloop/task/fn.spawn.html"."""
    names = re.sub(r"^\w+@|\(\)$|!$", "", path).split("::")[1:]
    wants_function = path.endswith("()") or path.startswith("fn@")
    page, folder = DOC / "evloop/index.html", DOC / "evloop"
    while names:
        name = names.pop(0)
        pages = [folder / f"{kind}.{name}.html" for kind in KINDS]
        pages = [each for each in pages if each.exists()]
        module = folder / name / "index.html"
        if module.exists() and not (pages and wants_function and not names):
            page, folder = module, module.parent
            continue
        page = pages[0] if pages else reexport(folder, name)
        if page is None or len(names) > 1:
            return None
        if names:
            ids = (f"{kind}.{names[0]}" for kind in MEMBERS)
            member = next((each for each in ids if f'id="{each}"' in page.read_text()), None)
            return member and f"{page.relative_to(TARGET)}#{member}"
    return str(page.relative_to(TARGET))


def rewrite(text, name, modules, dead):
    """Replaces the links of rustdoc in a text by those of the site."""

    def address(match):
        before, path, fragment, after = match[1], match[2], match[3] or "", match[4]
        names = re.sub(r"^\w+@", "", path).split("::")
        if names[:2] == ["crate", "guide"] and len(names) > 2:
            return before + modules.get(names[2], "missing.md") + fragment + after
        page = item_page(path)
        if page is None:
            dead.append(f"{name}: {path}")
        return f"{before}../{page}{fragment}{after}"

    text = re.sub(r"(\]\(|^\[[^\]]+\]: )((?:\w+@)?crate[\w:!]*(?:\(\))?)(#[\w.-]+)?(\)|$)",
                  address, text, flags=re.M)
    return text.replace("](../../../src/evloop/", "](../doc/src/evloop/")


class Page(HTMLParser):
    """The ids of a page, and the addresses that it links to."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text(errors="replace"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name)]


def dead_links():
    """The links of the site to files or fragments that do not exist."""
    page, dead = functools.cache(Page), []
    for path in sorted(SITE.glob("*.html")):
        for link in page(path).links:
            address, fragment = urldefrag(unquote(link))
            if re.match(r"[a-z]+:|/", link) or path.name == "404.html":
                continue
            target = (path.parent / address).resolve() if address else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                dead.append(f"{path.name}: {link}")
            elif fragment and target.suffix == ".html" and fragment not in page(target).ids:
                dead.append(f"{path.name}: {link}: there is no such part")
    return dead


def main():
    if not shutil.which("mdbook"):
        sys.exit("mdbook is missing: cargo install mdbook --locked")
    if "--no-doc" not in sys.argv:
        command = ["cargo", "doc", "--no-deps", "--all-features"]
        subprocess.run(command, cwd=ROOT, check=True)
    shutil.rmtree(SOURCES, ignore_errors=True)
    (SOURCES / "src").mkdir(parents=True)
    shutil.copy(BOOK / "book.toml", SOURCES)
    modules, dead = chapters(), []
    summary = (BOOK / "SUMMARY.md").read_text()
    for name in ["SUMMARY.md"] + re.findall(r"\]\(([\w-]+\.md)\)", summary):
        source = BOOK / name if (BOOK / name).exists() else BOOK.parent / name
        text = rewrite(source.read_text(), name, modules, dead)
        (SOURCES / "src" / name).write_text(text)
    subprocess.run(["mdbook", "build", SOURCES, "--dest-dir", SITE], check=True)
    dead += dead_links()
    if dead:
        sys.exit("dead links:\n" + "\n".join(dead))
    print(f"{len(list(SITE.glob('*.html')))} pages, no dead link: {SITE}/index.html")


if __name__ == "__main__":
    main()
