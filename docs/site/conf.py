# SPDX-License-Identifier: MIT
"""The settings of Sphinx; tests/run/website.py runs it, for `make book`."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "lint")]

project = "Labyrinth"
extensions = ["myst_parser", "links"]
root_doc = "index"
# Blocks that name no language are sessions, drawings and formulas.
highlight_language = "session"
# Headings are targets, as they are where Markdown is shown elsewhere.
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "source", "play"]

html_theme = "theme"
html_theme_path = [HERE]
html_title = "Labyrinth"
# A page that was loaded from a file cannot load others to show where a word is.
html_show_search_summary = False
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
# The same pages from the same text.
html_last_updated_fmt = None
smartquotes = False
