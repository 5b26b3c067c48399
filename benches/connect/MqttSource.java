// A stand-in for an MQTT source connector, of which there is none on Maven Central: one MQTT client
// at QoS 1, one record a message, the topic as its key and the payload as its value.

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;
import org.eclipse.paho.client.mqttv3.IMqttMessageListener;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttException;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

public final class MqttSource extends SourceConnector {
    private Map<String, String> config;

    @Override public void start(Map<String, String> config) { this.config = config; }
    @Override public void stop() { }
    @Override public String version() { return "1"; }
    @Override public Class<? extends Task> taskClass() { return Reader.class; }
    @Override public List<Map<String, String>> taskConfigs(int most) {
        return List.of(new HashMap<>(config));
    }
    @Override public ConfigDef config() {
        ConfigDef.Importance high = ConfigDef.Importance.HIGH;
        return new ConfigDef()
            .define("mqtt.uri", ConfigDef.Type.STRING, high, "where the broker is")
            .define("mqtt.topics", ConfigDef.Type.STRING, high, "the topic filter")
            .define("kafka.topic", ConfigDef.Type.STRING, high, "where records go");
    }

    public static final class Reader extends SourceTask {
        private static final int BATCH = 2000;
        // A full queue holds the client up, which then acknowledges nothing.
        private final ArrayBlockingQueue<SourceRecord> queue = new ArrayBlockingQueue<>(20000);
        private MqttClient client;

        @Override public String version() { return "1"; }

        @Override public void start(Map<String, String> config) {
            String kafkaTopic = config.get("kafka.topic");
            MqttConnectOptions options = new MqttConnectOptions();
            options.setMaxInflight(65535);
            try {
                client = new MqttClient(
                    config.get("mqtt.uri"), "connect", new MemoryPersistence());
                client.connect(options);
                IMqttMessageListener listener = (topic, message) ->
                    queue.put(record(kafkaTopic, topic, message));
                client.subscribe(config.get("mqtt.topics"), 1, listener);
            } catch (MqttException error) {
                throw new ConnectException(error);
            }
        }

        private static SourceRecord record(String kafkaTopic, String topic, MqttMessage message) {
            return new SourceRecord(
                Map.of(), Map.of(), kafkaTopic, null, Schema.STRING_SCHEMA, topic,
                Schema.BYTES_SCHEMA, message.getPayload());
        }

        @Override public List<SourceRecord> poll() throws InterruptedException {
            SourceRecord first = queue.poll(100, TimeUnit.MILLISECONDS);
            if (first == null) {
                return null;
            }
            List<SourceRecord> records = new ArrayList<>(BATCH);
            records.add(first);
            queue.drainTo(records, BATCH - 1);
            return records;
        }

        @Override public void stop() {
            try {
                client.disconnect();
                client.close();
            } catch (MqttException error) {
                throw new ConnectException(error);
            }
        }
    }
}
