"""Real Kafka, Cassandra and Elasticsearch on loopback, as plain processes: what `manage.py
engines` does (decision 0021). It knows how to run the servers and none of their clients."""
