package import CheckpointStore
package import Kernels
import PostgreSQL

/// The items of one shard, as the rows of a binary COPY.
///
/// Item `n` belongs to shard `n % shards`.
package struct ItemRows {
    private static let rowsAtOnce = 1024

    private let catalogue: Catalogue
    private let vectors: Matrix
    private let shards: Int
    private var next: Int
    private var hasEnded = false
    private var hasBegun = false

    package init(_ catalogue: Catalogue, _ vectors: Matrix, shard: Int, of shards: Int) {
        self.catalogue = catalogue
        self.vectors = vectors
        self.shards = shards
        next = shard
    }

    /// How many items the shard has.
    package static func count(items: Int, shard: Int, of shards: Int) -> Int { (items - shard + shards - 1) / shards }

    /// The bytes of the next rows; nil after the last.
    package mutating func nextBytes() -> [UInt8]? {
        guard !hasEnded else { return nil }
        var writer = BinaryWriter()
        if !hasBegun { writer.beginCopy() }
        hasBegun = true
        for _ in 0..<Self.rowsAtOnce where next < catalogue.count {
            append(next, to: &writer)
            next += shards
        }
        if next >= catalogue.count {
            writer.endCopy()
            hasEnded = true
        }
        return writer.bytes
    }

    private func append(_ item: Int, to writer: inout BinaryWriter) {
        writer.append(Int16(5))
        var number = BinaryWriter()
        number.append(Int32(item))
        writer.append(field: number.bytes)
        writer.append(field: Array(catalogue.ids[item].utf8))
        writer.append(field: catalogue.titles.isEmpty ? nil : Array(catalogue.titles[item].utf8))
        // The binary form of jsonb is its text after the number of the form.
        writer.append(field: [1] + Array(catalogue.attributesJSON(of: item).utf8))
        var vector = BinaryWriter()
        let start = item * vectors.columns
        vector.append(vector: vectors.elements[start..<start + vectors.columns])
        writer.append(field: vector.bytes)
    }
}

extension Catalogue {
    /// The attributes and categories of an item as a JSON object.
    ///
    /// A time is in seconds since 1970; keywords and `categories` are lists. An attribute without a value is missing.
    package func attributesJSON(of item: Int) -> String {
        var members: [String] = []
        if !categories.isEmpty, !categories[item].isEmpty {
            let names = categories[item].map { categoryNames[Int($0)].jsonString }
            members.append("\"categories\":[\(names.joined(separator: ","))]")
        }
        for column in attributes {
            switch column.values {
            case .numbers(let numbers):
                guard !numbers[item].isNaN else { continue }
                let value = column.type == .boolean ? "\(numbers[item] == 1)" : "\(numbers[item])"
                members.append("\(column.name.jsonString):\(value)")
            case .texts(let names, let lists):
                let texts = lists[item].map { names[Int($0)].jsonString }
                guard let first = texts.first else { continue }
                let value = column.type == .keyword ? first : "[\(texts.joined(separator: ","))]"
                members.append("\(column.name.jsonString):\(value)")
            }
        }
        return "{\(members.joined(separator: ","))}"
    }
}

extension String {
    /// The text as JSON writes it.
    fileprivate var jsonString: String {
        var json = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": json += "\\\""
            case "\\": json += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: json.unicodeScalars.append(scalar)
            }
        }
        return json + "\""
    }
}
