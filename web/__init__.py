"""The page that the api serves: what a browser loads, and who may give commands from it.

Begin with `page.py`, which makes the HTML, and `static/main.js`, where the page begins. Imports market alone.
"""
