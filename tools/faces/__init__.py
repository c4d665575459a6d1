"""Prepared crops of people, and which of them a figure may be measured on."""
