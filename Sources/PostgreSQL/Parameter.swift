/// A value for a place `$1`, `$2`, … of a statement.
public struct Parameter: Sendable, Equatable {
    let bytes: [UInt8]
    let isBinary: Bool

    /// Text, which the server converts to the place's type.
    ///
    /// PostgreSQL's texts have no zero byte; the value ends before the first one.
    public static func text(_ text: String) -> Parameter {
        Parameter(bytes: Array(text.utf8.prefix { $0 != 0 }), isBinary: false)
    }

    /// A number, which the server converts to the place's type.
    public static func number(_ number: some BinaryInteger) -> Parameter { .text("\(number)") }

    /// A value in PostgreSQL's binary form of the place's type.
    public static func binary(_ bytes: [UInt8]) -> Parameter { Parameter(bytes: bytes, isBinary: true) }
}

/// Writes values in PostgreSQL's binary form, which is big-endian.
public struct BinaryWriter {
    /// The bytes written so far.
    public private(set) var bytes: [UInt8] = []

    /// Nothing written yet.
    public init() {}

    /// Adds an integer with all its bytes, the highest first.
    public mutating func append(_ value: some FixedWidthInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// Adds bytes.
    public mutating func append(bytes: some Sequence<UInt8>) { self.bytes.append(contentsOf: bytes) }

    /// Adds a value of pgvector's type `vector`.
    public mutating func append(vector: some Collection<Float>) {
        append(Int16(vector.count))
        append(Int16(0))
        for element in vector { append(element.bitPattern) }
    }

    /// Adds a field of a row of COPY; nil is a null.
    public mutating func append(field: (some Collection<UInt8>)?) {
        guard let field else { return append(Int32(-1)) }
        append(Int32(field.count))
        append(bytes: field)
    }

    /// The first bytes of a COPY.
    public mutating func beginCopy() {
        append(bytes: Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00])
        append(Int32(0))
        append(Int32(0))
    }

    /// The last bytes of a COPY.
    public mutating func endCopy() { append(Int16(-1)) }

    /// Forgets the bytes and keeps the storage.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}
