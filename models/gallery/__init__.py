"""People: their mean embeddings, who a face is among them, what their pictures say, and the file they are kept in."""

from models.gallery.gallery import Gallery, Person
from models.gallery.match import Matcher
from models.gallery.store import GalleryStore

__all__ = ["Gallery", "GalleryStore", "Matcher", "Person"]
