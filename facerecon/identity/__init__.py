"""Who is in a photo: embeddings of faces, and groups of faces of one person."""

from __future__ import annotations

from facerecon.identity.clustering import ALONE, Clusters, ClusterSettings, cluster
from facerecon.identity.encoder import IdentityEncoder, similarity

__all__ = ["ALONE", "ClusterSettings", "Clusters", "IdentityEncoder", "cluster", "similarity"]
