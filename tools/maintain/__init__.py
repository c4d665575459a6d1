"""Commands for those who maintain the project: pictures, the demo's glasses, checks of the export."""
