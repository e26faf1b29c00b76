/// The rows that a statement returned, in PostgreSQL's binary form.
public struct Rows: Sendable {
    /// The number of rows.
    public let count: Int
    private let columns: Int
    private let bytes: [UInt8]
    /// The end of each cell in `bytes`, row after row.
    private let ends: [Int]
    /// The cells without a value.
    private let nulls: Set<Int>

    init(count: Int = 0, columns: Int = 0, bytes: [UInt8] = [], ends: [Int] = [], nulls: Set<Int> = []) {
        self.count = count
        self.columns = columns
        self.bytes = bytes
        self.ends = ends
        self.nulls = nulls
    }

    /// The bytes of a cell; nil for a null.
    private func cell(_ row: Int, _ column: Int) -> ArraySlice<UInt8>? {
        precondition(0..<count ~= row && 0..<columns ~= column, "cell \(row), \(column) of \(count) x \(columns)")
        let place = row * columns + column
        return nulls.contains(place) ? nil : bytes[(place == 0 ? 0 : ends[place - 1])..<ends[place]]
    }

    /// An `integer`; nil for a null and for another type.
    public func integer(_ row: Int, _ column: Int) -> Int32? {
        guard let cell = cell(row, column), cell.count == 4 else { return nil }
        return Int32(bitPattern: cell.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }

    /// A `text`; nil for a null.
    public func text(_ row: Int, _ column: Int) -> String? {
        cell(row, column).map { String(decoding: $0, as: UTF8.self) }
    }

    /// A `boolean`; nil for a null and for another type.
    public func boolean(_ row: Int, _ column: Int) -> Bool? {
        cell(row, column).flatMap { $0.count == 1 ? $0.first != 0 : nil }
    }
}
