import CKernels

/// A dense row-major Float32 matrix with value semantics.
///
/// Row `i` is `elements[i * columns ..< (i + 1) * columns]`. Arithmetic is in extensions beside this file. Each
/// operation works on a whole matrix or on many rows, because calls do not inline across modules.
public struct Matrix: Sendable, Equatable {
    /// Number of rows.
    public let rows: Int
    /// Number of columns.
    public let columns: Int
    /// All elements, row after row.
    public private(set) var elements: [Float]

    /// A matrix with one value everywhere.
    public init(rows: Int, columns: Int, repeating value: Float = 0) {
        precondition(rows >= 0 && columns >= 0, "matrix shape [\(rows), \(columns)] is negative")
        self.init(rows: rows, columns: columns) { unsafe ck_fill(value, $0, rows * columns) }
    }

    /// A matrix over given elements in row-major order.
    ///
    /// - Precondition: `elements.count == rows * columns`.
    public init(rows: Int, columns: Int, elements: [Float]) {
        precondition(
            elements.count == rows * columns,
            "matrix of shape [\(rows), \(columns)] needs \(rows * columns) elements, got \(elements.count)"
        )
        self.rows = rows
        self.columns = columns
        self.elements = elements
    }

    /// A matrix from rows of equal length.
    public init(_ rows: [[Float]]) {
        let columns = rows.first?.count ?? 0
        precondition(rows.allSatisfy { $0.count == columns }, "rows of lengths \(rows.map(\.count)) make no matrix")
        self.init(rows: rows.count, columns: columns, elements: rows.flatMap { $0 })
    }

    /// A matrix over uninitialised storage, which `fill` or a kernel after it must write before it is read.
    @safe init(rows: Int, columns: Int, fill: (UnsafeMutablePointer<Float>) -> Void) {
        self.rows = rows
        self.columns = columns
        let count = rows * columns
        elements = unsafe [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress { unsafe fill(base) }
            initialized = count
        }
    }

    /// The number of elements.
    public var count: Int { elements.count }

    /// `[rows, columns]`.
    public var shape: [Int] { [rows, columns] }

    /// One element.
    public subscript(row: Int, column: Int) -> Float {
        get {
            precondition(row < rows && column < columns, "[\(row), \(column)] is outside \(shape)")
            return elements[row * columns + column]
        }
        set {
            precondition(row < rows && column < columns, "[\(row), \(column)] is outside \(shape)")
            elements[row * columns + column] = newValue
        }
    }

    /// A copy of one row.
    public func row(_ index: Int) -> [Float] {
        precondition(index >= 0 && index < rows, "row \(index) is outside 0..<\(rows)")
        return Array(elements[index * columns..<(index + 1) * columns])
    }

    /// A copy of consecutive rows.
    public func rows(_ range: Range<Int>) -> Matrix {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) are outside 0..<\(rows)")
        return Matrix(
            rows: range.count,
            columns: columns,
            elements: Array(elements[range.lowerBound * columns..<range.upperBound * columns])
        )
    }

    /// The rows of this matrix, then the rows of another matrix with as many columns.
    public func appendingRows(of other: Matrix) -> Matrix {
        precondition(other.columns == columns, "rows of \(other.shape) after those of \(shape)")
        return Matrix(rows: rows + other.rows, columns: columns, elements: elements + other.elements)
    }

    /// The columns of this matrix and one more, with one element per row.
    public func appendingColumn(_ column: [Float]) -> Matrix {
        precondition(column.count == rows, "a column of \(column.count) elements for shape \(shape)")
        var result = Matrix(rows: rows, columns: columns + 1)
        for row in 0..<rows {
            let start = row * (columns + 1)
            result.elements.replaceSubrange(
                start..<start + columns,
                with: elements[row * columns..<(row + 1) * columns]
            )
            result.elements[start + columns] = column[row]
        }
        return result
    }

    /// Overwrites one row.
    public mutating func setRow(_ index: Int, to values: [Float]) {
        precondition(values.count == columns, "a row of \(columns) columns cannot hold \(values.count) values")
        precondition(index >= 0 && index < rows, "row \(index) is outside 0..<\(rows)")
        elements.replaceSubrange(index * columns..<(index + 1) * columns, with: values)
    }

    /// The same elements under another shape.
    public func reshaped(rows: Int, columns: Int) -> Matrix {
        Matrix(rows: rows, columns: columns, elements: elements)
    }

    /// Read access for kernels.
    @safe func withPointer<Result>(_ body: (UnsafePointer<Float>) -> Result) -> Result {
        unsafe elements.withUnsafeBufferPointer { unsafe body($0.baseAddress ?? emptyPointer) }
    }

    /// Write access for kernels.
    @safe mutating func withMutablePointer<Result>(_ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
        unsafe elements.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress ?? emptyMutablePointer) }
    }
}

/// A valid address for calls on zero elements; never read.
var emptyPointer: UnsafePointer<Float> { unsafe UnsafePointer(emptyMutablePointer) }

/// A valid address for calls on zero elements; never read or written.
var emptyMutablePointer: UnsafeMutablePointer<Float> {
    guard let pointer = unsafe UnsafeMutablePointer<Float>(bitPattern: 64) else { fatalError("address 64 is not null") }
    return unsafe pointer
}
