"""Spreadsheets as people send them: read as rows of text, and written so that no cell is a formula."""
