"""What paged people, how much of it was noise, and what a change would have spared them. Pure: pages in, a review out."""
