"""Where the facts of a report lie in its pictures: pure functions, without HTML.

A picture is as wide as its page, and its text as large as all other text, on any screen:
horizontal places are percent of its width, vertical ones pixels from its top.
"""
