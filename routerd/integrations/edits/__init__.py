"""
Edits of other programs' configuration files: pure functions of their text.

A file is never written anew: what routerd adds is spliced into the text that is there, so that comments, order and
spacing stay. Three laws, which tests/integrations/test_install_files.py checks for every format:

1. Taking back what was added gives the same bytes, as long as nobody edited the file in between.
2. Where somebody did, taking back removes routerd's own entries and leaves the rest.
3. Every edit is read again before it is believed: what the file says must have changed by the entries and nothing
   else. What cannot be edited so is refused.
"""
