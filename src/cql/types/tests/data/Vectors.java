// Writes cassandra.txt: what Apache Cassandra's own type classes make of texts, bytes and class names.
//
//     CP=$(echo "$CASSANDRA_HOME"/lib/*.jar | tr ' ' ':')
//     javac -cp "$CP" -d /tmp Vectors.java && TZ=UTC java -cp "$CP:/tmp" Vectors > cassandra.txt
//
// Lines, tab-separated: parse TYPE TEXT (HEX | error) · order TYPE HEX HEX SIGN · valid TYPE HEX yes|no ·
// literal TYPE HEX TEXT · class NAME CQL · fixed TYPE SIZE. Written with Cassandra 5.0.5.
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.cassandra.db.marshal.*;
import org.apache.cassandra.utils.ByteBufferUtil;

public class Vectors {
    static final Map<String, AbstractType<?>> SCALARS = new LinkedHashMap<>();
    static final StringBuilder out = new StringBuilder();
    static final Random random = new Random(20240607);

    static String escape(String s) { return s.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\u0000", "\\0"); }
    static void line(Object... parts) {
        StringJoiner j = new StringJoiner("\t");
        for (Object p : parts) j.add(p.toString());
        out.append(j).append('\n');
    }
    static String hex(ByteBuffer b) { return b.hasRemaining() ? ByteBufferUtil.bytesToHex(b) : "-"; }

    static void parse(String type, String... texts) {
        for (String text : texts) {
            String result;
            try { result = hex(SCALARS.get(type).fromString(text)); } catch (Throwable t) { result = "error"; }
            line("parse", type, escape(text), result);
        }
    }

    static byte[] bytes(int n) { byte[] b = new byte[n]; random.nextBytes(b); return b; }

    static List<ByteBuffer> samples(String name, AbstractType<?> type) {
        List<ByteBuffer> list = new ArrayList<>();
        list.add(ByteBuffer.allocate(0));
        int fixed = type.valueLengthIfFixed();
        if (name.equals("tinyint")) fixed = 1;
        if (name.equals("smallint")) fixed = 2;
        if (name.equals("date")) fixed = 4;
        if (name.equals("time") || name.equals("counter")) fixed = 8;
        if (name.equals("boolean")) for (int i : new int[]{0, 1, 2, 255}) list.add(ByteBuffer.wrap(new byte[]{(byte) i}));
        else if (name.equals("uuid") || name.equals("timeuuid"))
            for (int i = 0; i < 24; i++) {
                byte[] b = bytes(16);
                int version = name.equals("timeuuid") || i < 12 ? 1 : 4;
                b[6] = (byte) ((b[6] & 0x0f) | version << 4);
                if (i % 4 == 1) System.arraycopy(list.get(list.size() - 1).array(), 0, b, 0, 8);
                list.add(ByteBuffer.wrap(b));
            }
        else if (name.equals("inet")) for (int i = 0; i < 8; i++) list.add(ByteBuffer.wrap(bytes(i % 2 == 0 ? 4 : 16)));
        else if (name.equals("float")) for (float f : new float[]{0f, -0f, 1f, -1f, 1.5f, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.MIN_VALUE, Float.MAX_VALUE, 0.1f, 1e20f, 16777216f, 3.4e-5f}) list.add(FloatType.instance.decompose(f));
        else if (name.equals("double")) for (double d : new double[]{0d, -0d, 1d, -1d, 1.5, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.MIN_VALUE, Double.MAX_VALUE, 0.1, 1e20, 1e300, 3.4e-5}) list.add(DoubleType.instance.decompose(d));
        else if (fixed > 0) {
            for (int i = 0; i < 10; i++) list.add(ByteBuffer.wrap(bytes(fixed)));
            byte[] zero = new byte[fixed], min = new byte[fixed], max = new byte[fixed], minus = new byte[fixed];
            Arrays.fill(minus, (byte) 0xff); Arrays.fill(max, (byte) 0xff); max[0] = 0x7f; min[0] = (byte) 0x80;
            for (byte[] b : new byte[][]{zero, min, max, minus}) list.add(ByteBuffer.wrap(b));
        } else if (name.equals("varint")) {
            for (String s : new String[]{"0", "1", "-1", "127", "128", "-128", "-129", "255", "256", "32767", "-32768", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "123456789012345678901234567890", "-123456789012345678901234567890"}) list.add(IntegerType.instance.decompose(new BigInteger(s)));
            for (int n : new int[]{1, 2, 4, 5, 8, 9, 16, 33}) list.add(IntegerType.instance.decompose(new BigInteger(bytes(n))));
        } else if (name.equals("decimal")) {
            for (String s : new String[]{"0", "0.0", "0E+10", "1", "1.0", "1.00", "-1.0", "10", "1E+1", "100E-1", "0.05", "-0.05", "123.456", "123456E-3", "1E-7", "1E+30", "-1E+30", "1E-30", "99999999999999999999", "1E+20", "12345678901234567890.12345678901234567890", "0.000001", "0.0000001", "1E-2147483647", "1E+2147483647", "9E+2147483647"}) list.add(DecimalType.instance.decompose(new BigDecimal(s)));
            for (int n : new int[]{1, 3, 8, 17}) list.add(DecimalType.instance.decompose(new BigDecimal(new BigInteger(bytes(n)), random.nextInt(40) - 20)));
        } else if (name.equals("duration")) {
            list.clear();
            for (String s : new String[]{"1ns", "-1ns", "1y2mo3d4h5m6s7ms8us9ns", "2147483647d", "-2147483647mo", "9223372036854775807ns", "1w", "10h", "128d", "64mo"}) list.add(DurationType.instance.fromString(s));
        } else for (String s : new String[]{"a", "b", "ab", "B", "\u007f", " ", "it's", "\u00e9", "\ud83d\ude00", "\u20ac", "a\u0000b"}) {
            if (name.equals("ascii") && s.chars().anyMatch(c -> c > 127)) continue;
            list.add(ByteBufferUtil.bytes(s));
        }
        return list;
    }

    public static void main(String[] args) throws Exception {
        Object[][] all = {{"ascii", AsciiType.instance}, {"bigint", LongType.instance}, {"blob", BytesType.instance}, {"boolean", BooleanType.instance}, {"counter", CounterColumnType.instance}, {"decimal", DecimalType.instance}, {"double", DoubleType.instance}, {"float", FloatType.instance}, {"int", Int32Type.instance}, {"timestamp", TimestampType.instance}, {"uuid", UUIDType.instance}, {"text", UTF8Type.instance}, {"varint", IntegerType.instance}, {"timeuuid", TimeUUIDType.instance}, {"inet", InetAddressType.instance}, {"date", SimpleDateType.instance}, {"time", TimeType.instance}, {"smallint", ShortType.instance}, {"tinyint", ByteType.instance}, {"duration", DurationType.instance}};
        for (Object[] t : all) SCALARS.put((String) t[0], (AbstractType<?>) t[1]);
        for (var e : SCALARS.entrySet()) line("fixed", e.getKey(), Math.max(0, e.getKey().equals("counter") ? 0 : e.getValue().valueLengthIfFixed()));

        for (String t : new String[]{"tinyint", "smallint", "int", "bigint", "varint"})
            parse(t, "0", "1", "-1", "127", "128", "-128", "-129", "32767", "32768", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "00012", "abc", "1.5", "--1", "123456789012345678901234567890");
        for (String t : new String[]{"float", "double"})
            parse(t, "0", "-0", "1", "1.5", "-1.5e10", "1e999", "-1e999", "1e-999", "1e39", "3.4028235e38", "3.4028236e38", "1.401298464324817E-45", "4.9e-324", "0.1", "16777217", "1.", "NaN", "Infinity", "-Infinity", "x", "1e", "123456789.123456789");
        parse("decimal", "0", "0.0", "-0.0", "1", "1.00", "1e5", "1E+5", "1.5e-3", "-12.345", "123456789012345678901234567890.5", "1e-2147483647", "1e2147483647", "1e2147483648", "1e99999999999", "x", "1.", "000.5");
        parse("boolean", "true", "false", "TRUE", "False", "1", "yes");
        parse("uuid", "00000000-0000-0000-0000-000000000000", "550e8400-e29b-41d4-a716-446655440000", "550E8400-E29B-11D4-A716-446655440000", "550e8400e29b41d4a716446655440000", "x");
        parse("timeuuid", "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-11d4-a716-446655440000");
        parse("inet", "127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4", "fe80::1", "256.1.1.1", "1:2:3:4:5:6:7:8");
        for (String date : new String[]{"2020-02-03", "1969-12-31", "1970-01-01", "0001-01-01", "9999-12-31", "2020-02-29", "2019-02-29", "2020-13-01", "2020-00-01", "2020-01-32", "1582-10-10", "1900-02-29", "+10000-01-01", "10000-01-01", "-0001-01-01", "0000-01-01", "2020-2-3", "20200203", "-5877641-06-23", "+5881580-07-11", "+5881580-07-12", "2020-02-03x", "2147483648", "0", "4294967295", "4294967296", "-1"})
            for (String t : new String[]{"date", "timestamp"}) parse(t, date);
        for (String time : new String[]{"04:05", "04:05:06", "04:05:06.7", "04:05:06.78", "04:05:06.789", "04:05:06.789123", "04:05:06.789123456", "04:05:06.7891234567", "24:00", "23:60", "23:59:60", "4:5", "04:05:06.", "04", "04:05:6"})
            for (String zone : new String[]{"", "Z", " Z", "+0000", "+01:30", " -0800", "+05", " UTC", "GMT", "-18:00", "+19:00", "+0160", "+1"})
                for (String separator : new String[]{"T", " "}) {
                    if (separator.equals("T") && time.length() > 9 && zone.length() > 1) continue;
                    parse("timestamp", "2020-02-03" + separator + time + zone);
                }
        parse("timestamp", "2020-02-03Z", "2020-02-03+0100", "2020-02-03 +01:00", "2020-02-03 UTC", "", " 2020-02-03", "2020-02-03 ", "0", "-1", "1580702706789", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "2020-02-03T", "x", "12:00:00");
        parse("time", "00:00:00", "23:59:59.999999999", "04:05:06.7", "4:5:6", "04:05", "24:00:00", "04:60:00", "04:05:60", "04:05:06.", "04:05:06.1234567890", "0", "86399999999999", "86400000000000", "-1", "x", " 04:05:06 ");
        parse("duration", "1y2mo3w4d5h6m7s8ms9us10ns", "-1d", "0s", "1us", "1\u00b5s", "1Y", "1MO", "1Mo", "1M", "1H", "1h1h", "1s1m", "1d1y", "P1Y2M3DT4H5M6S", "-P1D", "P3W", "P", "PT", "PT1S", "P0001-02-03T04:05:06", "P1D1Y", "PT1.5S", "", "-", "1", "d", "178956970y7mo", "178956970y8mo", "2147483647d", "2147483648d", "306783378w", "9223372036854775807ns", "9223372036854775808ns", "2562047h47m16s854ms775us807ns", "2562047h47m16s854ms775us808ns", "1d-1h", "p1y", "10000000000000000000000d", "P1Y2M", "P2M1Y", "PT1S1M", "1Ms", "1US", "1NS");

        for (var e : SCALARS.entrySet()) {
            AbstractType<?> type = e.getValue();
            List<ByteBuffer> list = samples(e.getKey(), type);
            if (!e.getKey().equals("duration") && !e.getKey().equals("counter"))
                for (int i = 0; i < list.size(); i++)
                    for (int j = i + 1; j < list.size(); j++) {
                        // Cassandra compares these by making 10^(2^31).
                        boolean huge = e.getKey().equals("decimal") && (isHuge(list.get(i)) || isHuge(list.get(j)));
                        if (huge) continue;
                        try { line("order", e.getKey(), hex(list.get(i)), hex(list.get(j)), Integer.signum(type.compare(list.get(i), list.get(j)))); } catch (IndexOutOfBoundsException empty) { }
                    }
            for (ByteBuffer b : list) {
                if (!b.hasRemaining() || e.getKey().equals("counter")) continue;
                try { line("literal", e.getKey(), hex(b), escape(type.toCQLString(b))); } catch (Throwable t) { }
            }
            for (int n = 0; n <= 20; n++)
                for (int version : new int[]{1, 4}) {
                    byte[] b = bytes(n);
                    if (n > 6) b[6] = (byte) ((b[6] & 0x0f) | version << 4);
                    String valid = "yes";
                    try { type.validate(ByteBuffer.wrap(b)); } catch (Throwable t) { valid = "no"; }
                    line("valid", e.getKey(), hex(ByteBuffer.wrap(b)), valid);
                }
        }
        for (String name : new String[]{"Int32Type", "org.apache.cassandra.db.marshal.UTF8Type", "ListType(Int32Type)", "FrozenType(ListType(Int32Type))", "MapType(UTF8Type,FrozenType(SetType(UUIDType)))", "TupleType(Int32Type,UTF8Type)", "ReversedType(TimestampType)", "VectorType(FloatType , 3)", "VectorType(FloatType,3)", "org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.UTF8Type , 2) , 4)", "FrozenType(UserType(ks,61646472,73747265657431:UTF8Type,5a6970:FrozenType(SetType(Int32Type))))", "UserType(ks,41,61:Int32Type)", "DurationType", "SimpleDateType", "ByteType", "ShortType", "TimeType"})
            line("class", name, TypeParser.parse(name).asCQL3Type().toString());
        System.out.print(out);
    }

    static boolean isHuge(ByteBuffer b) { return b.remaining() >= 4 && Math.abs((long) b.getInt(b.position())) > 100000; }
}
