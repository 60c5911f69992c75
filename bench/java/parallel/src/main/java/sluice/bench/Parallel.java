package sluice.bench;

import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** One measurement: reads a topic to its end; each record says by its value how many milliseconds of work it is. */
public final class Parallel {
    private Parallel() {}

    /** Arguments: bootstrap servers, topic, group, order, concurrency, records. Prints its times as JSON. */
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int records = Integer.parseInt(args[5]);
        ParallelStreamProcessor<String, String> processor = ParallelStreamProcessor.createEosStreamProcessor(
                ParallelConsumerOptions.<String, String>builder()
                        .ordering(ProcessingOrder.valueOf(args[3].toUpperCase()))
                        .maxConcurrency(Integer.parseInt(args[4]))
                        .consumer(consumer(args[0], args[2]))
                        .build());
        Set<Long> handled = ConcurrentHashMap.newKeySet();
        AtomicLong firstNs = new AtomicLong(Long.MAX_VALUE);
        CountDownLatch done = new CountDownLatch(1);

        long subscribedNs = System.nanoTime();
        processor.subscribe(List.of(topic));
        processor.poll(context -> {
            firstNs.accumulateAndGet(System.nanoTime(), Math::min);
            ConsumerRecord<String, String> record = context.getSingleConsumerRecord();
            work(Integer.parseInt(record.value()));
            handled.add(record.partition() * 1_000_000_000L + record.offset());
            if (handled.size() == records) done.countDown();
        });
        done.await();
        long lastNs = System.nanoTime();

        System.out.printf("{\"inAllMs\":%d,\"sinceFirstMs\":%d}%n",
                (lastNs - subscribedNs) / 1_000_000, (lastNs - firstNs.get()) / 1_000_000);
        System.out.flush();
        // What it would commit and close is not measured.
        Runtime.getRuntime().halt(0);
    }

    private static void work(int ms) {
        try {
            if (ms > 0) Thread.sleep(ms);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static KafkaConsumer<String, String> consumer(String bootstrap, String group) {
        return new KafkaConsumer<>(Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
                ConsumerConfig.GROUP_ID_CONFIG, group,
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
                ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class,
                ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class));
    }
}
