import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.TimestampType;

/**
 * Writes logs in the message formats of before Kafka 0.11, as Java's own client writes them. Prints a line for each:
 * its name, its bytes in hex, and its records as Java reads them (offset, timestamp, key, value).
 */
public class OldFormats {
    public static void main(String[] args) throws IOException {
        for (byte magic = 0; magic < 2; magic++) {
            for (CompressionType type : new CompressionType[] {CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4}) {
                if (magic == 0 && type == CompressionType.SNAPPY) continue;
                print("v" + magic + "-" + type.name, write(magic, type, TimestampType.CREATE_TIME, 0, 5));
            }
        }
        print("v1-log-append-time", write((byte) 1, CompressionType.GZIP, TimestampType.LOG_APPEND_TIME, 0, 3));
        print("v1-compacted", compacted((byte) 1));
        print("v0-compacted", compacted((byte) 0));
        print("v0-v1-v2", join(
            write((byte) 0, CompressionType.NONE, TimestampType.CREATE_TIME, 0, 2),
            write((byte) 1, CompressionType.LZ4, TimestampType.CREATE_TIME, 2, 3),
            write((byte) 2, CompressionType.ZSTD, TimestampType.CREATE_TIME, 5, 2)));
    }

    private static ByteBuffer write(byte magic, CompressionType type, TimestampType timestampType, long base, int count) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        Compression compression = Compression.of(type).build();
        long time = timestampType == TimestampType.LOG_APPEND_TIME ? 1_500_000_000_000L : RecordBatch.NO_TIMESTAMP;
        try (MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, magic, compression, timestampType, base, time)) {
            for (int i = 0; i < count; i++) {
                byte[] key = i == 1 ? null : ("k" + (base + i)).getBytes(StandardCharsets.UTF_8);
                byte[] value = i == 2 ? null : ("value " + (base + i)).getBytes(StandardCharsets.UTF_8);
                builder.append(magic == 0 ? RecordBatch.NO_TIMESTAMP : 1_400_000_000_000L + i, key, value);
            }
            return builder.build().buffer();
        }
    }

    /** What the cleaner of an old broker left of a set of six: the records of odd offsets, which keep their offsets. */
    private static ByteBuffer compacted(byte magic) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        Compression compression = Compression.of(CompressionType.GZIP).build();
        try (MemoryRecordsBuilder builder = MemoryRecords.builder(buffer, magic, compression, TimestampType.CREATE_TIME, 100)) {
            for (long offset = 101; offset < 106; offset += 2) {
                long time = magic == 0 ? RecordBatch.NO_TIMESTAMP : 1_400_000_000_000L + offset;
                builder.appendWithOffset(offset, time, null, ("value " + offset).getBytes(StandardCharsets.UTF_8));
            }
            return builder.build().buffer();
        }
    }

    private static ByteBuffer join(ByteBuffer... logs) {
        ByteBuffer all = ByteBuffer.allocate(1 << 17);
        for (ByteBuffer log : logs) all.put(log.duplicate());
        all.flip();
        return all;
    }

    private static void print(String name, ByteBuffer log) {
        byte[] bytes = new byte[log.remaining()];
        log.duplicate().get(bytes);
        StringBuilder line = new StringBuilder(name).append(' ').append(HexFormat.of().formatHex(bytes)).append(' ');
        for (Record record : MemoryRecords.readableRecords(log).records()) {
            line.append(record.offset()).append('|').append(record.timestamp()).append('|');
            line.append(text(record.key())).append('|').append(text(record.value())).append(';');
        }
        System.out.println(line.toString());
    }

    private static String text(ByteBuffer bytes) {
        return bytes == null ? "null" : StandardCharsets.UTF_8.decode(bytes).toString().replace(' ', '_');
    }
}
