"""Why a face was named, or not: in words, as one picture, as one page."""
