"""One file per door: verify a delivery and parse it into an IncidentEvent. Pure: bytes in, values out."""
