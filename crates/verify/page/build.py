"""Puts the offline verifier together: one file, with the hashes of its script and style in its policy."""

import base64
import hashlib
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
PAGE = FOLDER.parents[2] / "docs" / "verify.html"


def digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page() -> str:
    script, style = ((FOLDER / name).read_text() for name in ("verify.js", "verify.css"))
    text = (FOLDER / "template.html").read_text()
    text = text.replace("SCRIPT-HASH", digest(script)).replace("STYLE-HASH", digest(style))
    return text.replace("<style>STYLE<", f"<style>{style}<").replace("<script>SCRIPT<", f"<script>{script}<")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if PAGE.read_text() == page() else "docs/verify.html differs: python3 crates/verify/page/build.py")
    PAGE.write_text(page())
