"""Pages that people look at: a study, or two side by side, each as one HTML file that needs nothing else.

Markup is made by jinja2 with autoescape on. Charts are SVG from our own small templates: matplotlib draws text as
paths, which no screen reader reads, in colours that no dark mode changes, and writes style attributes, which the page's
content policy refuses.
A model's answer is data in a JSON block, put on the page as text and never as markup; only the page's own script and
style run, named in the policy by their digests.
"""
