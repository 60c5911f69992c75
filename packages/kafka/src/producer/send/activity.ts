/** `produce`: a request to write records. `metadata`: the search for topics and for the leaders of partitions. */
export type ProducerActivity = 'produce' | 'metadata'
