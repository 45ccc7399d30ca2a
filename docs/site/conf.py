"""The settings of Sphinx for the site that `make site` builds.

The source is the whole repository: the pages link to each other and to examples as on a forge.
"""

project = "ldaphealth"
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "keepalived/*.md"]
exclude_patterns = [".*", "build", "tests", "**/site-packages"]

extensions = ["myst_parser"]
myst_heading_anchors = 4  # headings down to this level have the anchors that forges give them
suppress_warnings = ["myst.header"]  # a page may leave out a level of headings

html_theme = "furo"
html_title = "ldaphealth"
html_extra_path = ["index.html"]
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
