"""Mail: the page of a message, its charts, its parts, and the channel that sends it."""
