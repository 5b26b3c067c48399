import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.ConnectSchema;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Values;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Apache Kafka's own transforms and JSON converter, asked line by line: a case as JSON on standard
 * input, what they make of it on standard output.
 *
 * <p>Cases: {@code {"do":"transform","stages":[{"class","config","predicate","negate"}],"record"}},
 * {@code {"do":"to_json","config","key","topic","schema","value"}},
 * {@code {"do":"from_json","config","key","topic","bytes"}},
 * {@code {"do":"parse","text"}} and {@code {"do":"definitions","class"}}.
 * Answers: {@code {"ok":…}}, {@code {"invalid":[messages]}} for options, or
 * {@code {"thrown":{"class","message"}}}.
 *
 * <p>A value is null or an array that starts with its kind: {@code ["i32",5]},
 * {@code ["f64","bits"]}, {@code ["m",[[key,value],…]]}, {@code ["st",schema,[values]]}.
 */
public final class Upstream {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String PREFIX = "transforms.t.";

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = NODES.objectNode();
            try {
                answer(JSON.readTree(line), answer);
            } catch (Exception e) {
                answer.removeAll();
                ObjectNode thrown = answer.putObject("thrown");
                thrown.put("class", e.getClass().getName());
                thrown.put("message", e.getMessage());
                if (e.getCause() != null) {
                    thrown.put("cause", e.getCause().getMessage());
                }
            }
            out.write(JSON.writeValueAsString(answer));
            out.write('\n');
            // Whoever waits for the answer has asked everything.
            if (!in.ready()) {
                out.flush();
            }
        }
    }

    private static void answer(JsonNode question, ObjectNode answer) throws Exception {
        switch (question.get("do").asText()) {
            case "transform" -> transform(question, answer);
            case "to_json" -> {
                byte[] bytes = converter(question).fromConnectData(
                    question.get("topic").asText(), schema(question.get("schema")), value(question.get("value")));
                answer.set("ok", bytes == null ? NODES.nullNode()
                    : NODES.textNode(Base64.getEncoder().encodeToString(bytes)));
            }
            case "from_json" -> {
                byte[] bytes = question.get("bytes").isNull() ? null
                    : Base64.getDecoder().decode(question.get("bytes").asText());
                answer.set("ok", encode(
                    converter(question).toConnectData(question.get("topic").asText(), bytes)));
            }
            case "parse" -> answer.set("ok", encode(Values.parseString(question.get("text").asText())));
            case "definitions" -> answer.set("ok", definitions(question.get("class").asText()));
            default -> throw new IllegalArgumentException(question.toString());
        }
    }

    private static JsonConverter converter(JsonNode question) {
        JsonConverter converter = new JsonConverter();
        converter.configure(strings(question.get("config")), question.path("key").asBoolean());
        return converter;
    }

    @SuppressWarnings("unchecked")
    private static void transform(JsonNode question, ObjectNode answer) throws Exception {
        ConnectRecord<?> record = record(question.get("record"));
        for (JsonNode stage : question.get("stages")) {
            Map<String, String> config = strings(stage.get("config"));
            Transformation<? extends ConnectRecord<?>> transformation =
                (Transformation<? extends ConnectRecord<?>>) instance(stage);
            if (refused(transformation.config(), config, answer)) {
                return;
            }
            transformation.configure(config);
            boolean applies = true;
            if (stage.hasNonNull("predicate")) {
                JsonNode condition = stage.get("predicate");
                Predicate<SourceRecord> predicate = (Predicate<SourceRecord>) instance(condition);
                Map<String, String> options = strings(condition.get("config"));
                if (refused(predicate.config(), options, answer)) {
                    return;
                }
                predicate.configure(options);
                applies = stage.path("negate").asBoolean() ^ test(predicate, record);
            }
            if (applies) {
                record = apply(transformation, record);
            }
            if (record == null) {
                answer.set("ok", NODES.nullNode());
                return;
            }
        }
        answer.set("ok", encode(record));
    }

    private static Object instance(JsonNode stage) throws Exception {
        return Class.forName(stage.get("class").asText()).getDeclaredConstructor().newInstance();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static ConnectRecord<?> apply(Transformation transformation, ConnectRecord record) {
        return (ConnectRecord<?>) transformation.apply(record);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static boolean test(Predicate predicate, ConnectRecord record) {
        return predicate.test(record);
    }

    /** Judges options as Connect does when it validates a connector that embeds them. */
    private static boolean refused(ConfigDef definitions, Map<String, String> config, ObjectNode answer) {
        ConfigDef embedded = new ConfigDef();
        embedded.embed(PREFIX, "Transforms: t", 0, definitions);
        Map<String, String> prefixed = new HashMap<>();
        config.forEach((key, value) -> prefixed.put(PREFIX + key, value));
        Map<String, ConfigValue> values = embedded.validateAll(prefixed);
        ArrayNode messages = NODES.arrayNode();
        for (String name : embedded.configKeys().keySet()) {
            values.get(name).errorMessages().forEach(messages::add);
        }
        if (messages.isEmpty()) {
            return false;
        }
        answer.set("invalid", messages);
        return true;
    }

    private static ArrayNode definitions(String name) throws Exception {
        Object plugin = Class.forName(name).getDeclaredConstructor().newInstance();
        ConfigDef definitions = plugin instanceof Transformation<?> transformation
            ? transformation.config() : ((Predicate<?>) plugin).config();
        ConfigDef embedded = new ConfigDef();
        embedded.embed("", "", 0, definitions);
        ArrayNode all = NODES.arrayNode();
        embedded.configKeys().values().forEach(key -> {
            ObjectNode one = all.addObject();
            one.put("name", key.name);
            one.put("type", key.type.name());
            one.put("required", !key.hasDefault());
            one.put("default_value",
                key.hasDefault() ? ConfigDef.convertToString(key.defaultValue, key.type) : null);
            one.put("importance", key.importance.name());
            one.put("documentation", key.documentation);
            one.put("width", key.width.name());
            one.put("display_name", key.displayName);
        });
        return all;
    }

    private static Map<String, String> strings(JsonNode node) {
        Map<String, String> strings = new HashMap<>();
        node.properties().forEach(entry -> strings.put(entry.getKey(), entry.getValue().asText()));
        return strings;
    }

    private static ConnectRecord<?> record(JsonNode node) {
        Integer partition = node.get("partition").isNull() ? null : node.get("partition").asInt();
        Long timestamp = node.get("timestamp").isNull() ? null : node.get("timestamp").asLong();
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode header : node.get("headers")) {
            headers.add(header.get(0).asText(),
                new SchemaAndValue(schema(header.get(1)), value(header.get(2))));
        }
        JsonNode key = node.get("key");
        JsonNode value = node.get("value");
        String topic = node.get("topic").asText();
        if (node.get("offset").isNull()) {
            return new SourceRecord(Map.of(), Map.of(), topic, partition, schema(key.get(0)), value(key.get(1)),
                schema(value.get(0)), value(value.get(1)), timestamp, headers);
        }
        return new SinkRecord(topic, partition == null ? 0 : partition, schema(key.get(0)), value(key.get(1)),
            schema(value.get(0)), value(value.get(1)), node.get("offset").asLong(), timestamp,
            TimestampType.CREATE_TIME, headers);
    }

    private static ObjectNode encode(ConnectRecord<?> record) {
        ObjectNode node = NODES.objectNode();
        node.put("topic", record.topic());
        node.put("partition", record.kafkaPartition());
        node.put("timestamp", record.timestamp());
        if (record instanceof SinkRecord sink) {
            node.put("offset", sink.kafkaOffset());
        } else {
            node.putNull("offset");
        }
        node.set("key", datum(record.keySchema(), record.key()));
        node.set("value", datum(record.valueSchema(), record.value()));
        ArrayNode headers = node.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(encode(header.schema())).add(encode(header.value()));
        }
        return node;
    }

    private static ArrayNode encode(SchemaAndValue both) {
        return both == null ? datum(null, null) : datum(both.schema(), both.value());
    }

    private static ArrayNode datum(Schema schema, Object value) {
        return NODES.arrayNode().add(encode(schema)).add(encode(value));
    }

    private static JsonNode encode(Schema schema) {
        if (schema == null) {
            return NODES.nullNode();
        }
        ObjectNode node = NODES.objectNode();
        node.put("type", schema.type().name());
        node.put("optional", schema.isOptional());
        node.put("name", schema.name());
        node.put("version", schema.version());
        node.put("doc", schema.doc());
        ArrayNode parameters = node.putArray("parameters");
        if (schema.parameters() != null) {
            schema.parameters().forEach((key, value) -> parameters.addArray().add(key).add(value));
        }
        // A default that a transform builds has the builder for its schema, and that the default.
        boolean inDefault = schema instanceof SchemaBuilder && schema.type() == Schema.Type.STRUCT;
        node.set("default", inDefault ? NODES.nullNode() : encode(schema.defaultValue()));
        switch (schema.type()) {
            case ARRAY -> node.set("values", encode(schema.valueSchema()));
            case MAP -> {
                node.set("keys", encode(schema.keySchema()));
                node.set("values", encode(schema.valueSchema()));
            }
            case STRUCT -> {
                ArrayNode fields = node.putArray("fields");
                for (Field field : schema.fields()) {
                    fields.addArray().add(field.name()).add(encode(field.schema()));
                }
            }
            default -> { }
        }
        return node;
    }

    private static Schema schema(JsonNode node) {
        if (node.isNull()) {
            return null;
        }
        Schema.Type type = Schema.Type.valueOf(node.get("type").asText());
        SchemaBuilder builder = switch (type) {
            case ARRAY -> SchemaBuilder.array(schema(node.get("values")));
            case MAP -> SchemaBuilder.map(schema(node.get("keys")), schema(node.get("values")));
            default -> new SchemaBuilder(type);
        };
        if (type == Schema.Type.STRUCT) {
            for (JsonNode field : node.get("fields")) {
                builder.field(field.get(0).asText(), schema(field.get(1)));
            }
        }
        if (node.get("optional").asBoolean()) {
            builder.optional();
        }
        builder.name(node.get("name").textValue()).doc(node.get("doc").textValue());
        builder.version(node.get("version").isNull() ? null : node.get("version").asInt());
        for (JsonNode parameter : node.get("parameters")) {
            builder.parameter(parameter.get(0).asText(), parameter.get(1).asText());
        }
        JsonNode standard = node.get("default");
        if (standard.isNull()) {
            return builder.build();
        }
        if (type == Schema.Type.STRUCT) {
            // The builder would want a struct of itself.
            return new ConnectSchema(type, builder.isOptional(), value(standard), builder.name(),
                builder.version(), builder.doc(), builder.parameters(), builder.fields(), null, null);
        }
        return builder.defaultValue(value(standard)).build();
    }

    private static Object value(JsonNode node) {
        if (node.isNull()) {
            return null;
        }
        JsonNode content = node.get(1);
        return switch (node.get(0).asText()) {
            case "b" -> content.asBoolean();
            case "i8" -> (byte) content.asInt();
            case "i16" -> (short) content.asInt();
            case "i32" -> content.asInt();
            case "i64" -> content.asLong();
            case "f32" -> Float.intBitsToFloat(content.asInt());
            case "f64" -> Double.longBitsToDouble(Long.parseLong(content.asText()));
            case "s" -> content.asText();
            case "y" -> Base64.getDecoder().decode(content.asText());
            case "dec" -> new BigDecimal(new BigInteger(content.asText()), node.get(2).asInt());
            case "ts" -> new Date(content.asLong());
            case "a" -> {
                List<Object> list = new ArrayList<>();
                content.forEach(one -> list.add(value(one)));
                yield list;
            }
            case "m" -> {
                Map<Object, Object> map = new HashMap<>();
                content.forEach(entry -> map.put(value(entry.get(0)), value(entry.get(1))));
                yield map;
            }
            case "st" -> {
                Struct struct = new Struct(schema(content));
                Iterator<JsonNode> values = node.get(2).elements();
                for (Field field : struct.schema().fields()) {
                    Object value = value(values.next());
                    if (value != null) {
                        struct.put(field, value);
                    }
                }
                yield struct;
            }
            default -> throw new IllegalArgumentException(node.toString());
        };
    }

    private static JsonNode encode(Object value) {
        if (value == null) {
            return NODES.nullNode();
        }
        ArrayNode node = NODES.arrayNode();
        if (value instanceof Boolean truth) {
            return node.add("b").add(truth);
        } else if (value instanceof Byte number) {
            return node.add("i8").add(number.intValue());
        } else if (value instanceof Short number) {
            return node.add("i16").add(number.intValue());
        } else if (value instanceof Integer number) {
            return node.add("i32").add(number);
        } else if (value instanceof Long number) {
            return node.add("i64").add(number);
        } else if (value instanceof Float number) {
            return node.add("f32").add(Float.floatToRawIntBits(number));
        } else if (value instanceof Double number) {
            return node.add("f64").add(Long.toString(Double.doubleToRawLongBits(number)));
        } else if (value instanceof String text) {
            return node.add("s").add(text);
        } else if (value instanceof byte[] bytes) {
            return node.add("y").add(Base64.getEncoder().encodeToString(bytes));
        } else if (value instanceof ByteBuffer buffer) {
            byte[] bytes = new byte[buffer.remaining()];
            buffer.duplicate().get(bytes);
            return node.add("y").add(Base64.getEncoder().encodeToString(bytes));
        } else if (value instanceof BigDecimal decimal) {
            return node.add("dec").add(decimal.unscaledValue().toString()).add(decimal.scale());
        } else if (value instanceof BigInteger integer) {
            return node.add("dec").add(integer.toString()).add(0);
        } else if (value instanceof Date date) {
            return node.add("ts").add(date.getTime());
        } else if (value instanceof List<?> list) {
            ArrayNode content = node.add("a").addArray();
            list.forEach(one -> content.add(encode(one)));
            return node;
        } else if (value instanceof Map<?, ?> map) {
            ArrayNode content = node.add("m").addArray();
            map.forEach((key, one) -> content.addArray().add(encode(key)).add(encode(one)));
            return node;
        } else if (value instanceof Struct struct) {
            node.add("st").add(encode(struct.schema()));
            ArrayNode content = node.addArray();
            for (Field field : struct.schema().fields()) {
                content.add(encode(struct.getWithoutDefault(field.name())));
            }
            return node;
        }
        throw new IllegalArgumentException(value.getClass().getName());
    }
}
