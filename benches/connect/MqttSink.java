// A stand-in for an MQTT sink connector, as MqttSource is for a source: one MQTT client at QoS 1, one
// message a record under its key: bytes as they are, of a struct the fields that are wanted as JSON.

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.MqttAsyncClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttException;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

public final class MqttSink extends SinkConnector {
    private Map<String, String> config;

    @Override public void start(Map<String, String> config) { this.config = config; }
    @Override public void stop() { }
    @Override public String version() { return "1"; }
    @Override public Class<? extends Task> taskClass() { return Writer.class; }
    @Override public List<Map<String, String>> taskConfigs(int most) {
        return List.of(new HashMap<>(config));
    }
    @Override public ConfigDef config() {
        ConfigDef.Importance high = ConfigDef.Importance.HIGH;
        return new ConfigDef()
            .define("mqtt.uri", ConfigDef.Type.STRING, high, "where the broker is")
            .define("fields", ConfigDef.Type.LIST, "", high, "what is taken of a struct");
    }

    public static final class Writer extends SinkTask {
        private final ObjectMapper mapper = new ObjectMapper();
        private String[] fields;
        private MqttAsyncClient client;

        @Override public String version() { return "1"; }

        @Override public void start(Map<String, String> config) {
            fields = config.getOrDefault("fields", "").split(",");
            MqttConnectOptions options = new MqttConnectOptions();
            options.setMaxInflight(65535);
            try {
                client = new MqttAsyncClient(
                    config.get("mqtt.uri"), "connect", new MemoryPersistence());
                client.connect(options).waitForCompletion();
            } catch (MqttException error) {
                throw new ConnectException(error);
            }
        }

        // Returns when the broker has all: what is committed to Kafka is done.
        @Override public void put(Collection<SinkRecord> records) {
            List<IMqttDeliveryToken> tokens = new ArrayList<>(records.size());
            try {
                for (SinkRecord record : records) {
                    byte[] payload = payload(record.value());
                    tokens.add(client.publish((String) record.key(), payload, 1, false));
                }
                for (IMqttDeliveryToken token : tokens) {
                    token.waitForCompletion();
                }
            } catch (MqttException | JsonProcessingException error) {
                throw new ConnectException(error);
            }
        }

        private byte[] payload(Object value) throws JsonProcessingException {
            if (!(value instanceof Struct struct)) {
                return (byte[]) value;
            }
            ObjectNode object = mapper.createObjectNode();
            for (String field : fields) {
                object.putPOJO(field, struct.get(field));
            }
            return mapper.writeValueAsBytes(object);
        }

        @Override public void stop() {
            try {
                client.disconnect().waitForCompletion();
                client.close();
            } catch (MqttException error) {
                throw new ConnectException(error);
            }
        }
    }
}
