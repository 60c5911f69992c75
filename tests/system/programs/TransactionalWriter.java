import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Writes transactions to partition 0, every third one aborted: values `committed N` and `aborted N`. */
public class TransactionalWriter {
  public static void main(String[] args) {
    String topic = args[1];
    int transactions = Integer.parseInt(args[2]);
    int recordsEach = Integer.parseInt(args[3]);
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", args[0], "transactional.id", "writer-" + topic, "linger.ms", 0, "batch.size", 512);
    var text = new StringSerializer();
    int number = 0;
    try (var producer = new KafkaProducer<String, String>(settings, text, text)) {
      producer.initTransactions();
      for (int transaction = 0; transaction < transactions; transaction++) {
        boolean aborts = transaction % 3 == 1;
        producer.beginTransaction();
        for (int record = 0; record < recordsEach; record++) {
          String value = aborts ? "aborted " + record : "committed " + number++;
          producer.send(new ProducerRecord<>(topic, 0, null, value));
        }
        producer.flush();
        if (aborts) producer.abortTransaction();
        else producer.commitTransaction();
      }
    }
  }
}
