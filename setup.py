"""What pyproject.toml cannot say: the links in whoplays/ stay links in the source distribution.

Followed, they would put every folder into it twice.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

LINKS = sorted(path for path in Path("whoplays").iterdir() if path.is_symlink())


class LinkedSdist(sdist):
    """Holds the links themselves, and the folders that they lead to."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Copy what is not behind a link, then make the links."""
        own = [file for file in files if not any(link in Path(file).parents for link in LINKS)]
        super().make_release_tree(base_dir, own)
        for link in LINKS:
            (Path(base_dir) / link).symlink_to(link.readlink())


setup(cmdclass={"sdist": LinkedSdist})
