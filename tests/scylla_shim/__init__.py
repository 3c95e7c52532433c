"""A Cassandra node with the manners of ScyllaDB 5.2: see README.md."""
