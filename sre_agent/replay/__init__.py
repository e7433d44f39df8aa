"""Past incidents as folders: the case format, recorded sources and readers, the dry run, its report."""
