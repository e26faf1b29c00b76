package import Kernels

/// Whole numbers kept in a matrix, as a checkpoint stores them.
///
/// A Float32 holds every integer only up to 2^24. Numbers below that bound take one element each, which is how all versions
/// were stored before; larger ones take two, `65536 * first + second`.
package struct StoredIntegers: Sendable {
    /// Numbers below this bound take one element.
    package static let singleBound = 1 << 24
    private static let base = 65_536

    /// The elements, `[rows, columns]` or `[rows, 2 columns]`.
    package let matrix: Matrix
    private let isDouble: Bool

    /// Stores numbers.
    ///
    /// - Parameters:
    ///   - numbers: Row after row; -1 is allowed, as the number of nothing.
    ///   - columns: Numbers of a row.
    ///   - bound: What they all lie below; it alone decides the form.
    package init(_ numbers: [Int32], columns: Int, below bound: Int) {
        isDouble = bound > Self.singleBound
        let elements =
            isDouble
            ? numbers.flatMap { number in
                let (first, second) = Self.halves(number)
                return [first, second]
            } : numbers.map { Float($0) }
        matrix = Matrix(
            rows: columns == 0 ? 0 : numbers.count / columns,
            columns: isDouble ? 2 * columns : columns,
            elements: elements
        )
    }

    /// Reads stored numbers.
    ///
    /// - Parameters:
    ///   - matrix: The elements.
    ///   - name: Their name, for errors.
    ///   - columns: Numbers of a row.
    ///   - range: What they must lie in.
    /// - Throws: `ParameterError` for another shape, and for what is no whole number of the range.
    package init(
        stored matrix: Matrix,
        name: String,
        columns: Int,
        in range: Range<Int>
    ) throws(ParameterError) {
        guard matrix.columns == columns || matrix.columns == 2 * columns else {
            throw .shape(name, expected: [matrix.rows, columns], found: matrix.shape)
        }
        self.matrix = matrix
        isDouble = matrix.columns != columns
        func refusal(row: Int, column: Int, _ found: Float) -> ParameterError {
            let allowed = "a whole number from \(range.lowerBound) to \(range.upperBound - 1)"
            return .value(name, row: row, column: column, found: "\(found)", allowed: allowed)
        }
        for (place, element) in matrix.elements.enumerated() {
            guard element.magnitude < 2_147_483_648, element == element.rounded(.towardZero) else {
                throw refusal(row: place / matrix.columns, column: place % matrix.columns, element)
            }
        }
        for place in 0..<count where !range.contains(self[place]) {
            throw refusal(row: place / columns, column: place % columns, Float(self[place]))
        }
    }

    /// How many numbers there are.
    package var count: Int { isDouble ? matrix.count / 2 : matrix.count }

    /// The number at a place, counted row after row.
    package subscript(place: Int) -> Int {
        guard isDouble else { return Int(matrix.elements[place]) }
        return Int(matrix.elements[2 * place]) * Self.base + Int(matrix.elements[2 * place + 1])
    }

    private static func halves(_ number: Int32) -> (Float, Float) {
        (Float(number >> 16), Float(number & 0xFFFF))
    }
}
