public import Kernels

/// Named parameters of a model.
public struct ParameterSet: Sendable, Equatable {
    /// All parameters by name.
    public private(set) var matrices: [String: Matrix]

    /// Parameters by name.
    public init(_ matrices: [String: Matrix] = [:]) {
        self.matrices = matrices
    }

    /// Names in alphabetical order.
    public var names: [String] { matrices.keys.sorted() }

    /// The total number of elements.
    public var count: Int { matrices.values.reduce(0) { $0 + $1.count } }

    /// One parameter.
    ///
    /// - Precondition: A parameter that is read exists.
    public subscript(name: String) -> Matrix {
        get {
            guard let matrix = matrices[name] else { preconditionFailure("no parameter '\(name)' among \(names)") }
            return matrix
        }
        set { matrices[name] = newValue }
    }

    /// Changes one parameter in place, without a copy.
    public mutating func update(_ name: String, _ body: (inout Matrix) -> Void) {
        guard var matrix = matrices.removeValue(forKey: name) else {
            preconditionFailure("no parameter '\(name)' among \(names)")
        }
        body(&matrix)
        matrices[name] = matrix
    }

    /// Removes one parameter and returns it, so that the caller can change it without a copy.
    ///
    /// - Parameter name: A parameter's name.
    /// - Returns: The parameter; the set no longer contains it.
    public mutating func take(_ name: String) -> Matrix {
        guard let matrix = matrices.removeValue(forKey: name) else {
            preconditionFailure("no parameter '\(name)' among \(names)")
        }
        return matrix
    }

    /// The first parameter that holds a NaN or an infinity.
    public var firstNonFinite: String? {
        names.first { self[$0].firstNonFinite != nil }
    }
}

/// The gradient of some rows of an embedding table; a row may occur more than once.
public struct RowGradient: Sendable {
    /// Row numbers.
    public var rows: [Int32]
    /// One gradient row for each of `rows`.
    public var gradient: Matrix

    /// A gradient row for each of `rows`.
    public init(rows: [Int32], gradient: Matrix) {
        precondition(gradient.rows == rows.count, "gradient \(gradient.shape) for \(rows.count) rows")
        self.rows = rows
        self.gradient = gradient
    }
}

/// Gradients of a loss: whole matrices, and rows of embedding tables.
public struct Gradients: Sendable {
    /// Gradients of whole parameters.
    public var dense: [String: Matrix] = [:]
    /// Gradients of table rows, in the order in which they were gathered.
    public var rows: [String: [RowGradient]] = [:]

    /// No gradients.
    public init() {}

    /// Adds another worker's gradients; the order of additions is the order of calls.
    public mutating func add(_ other: Gradients) {
        for (name, gradient) in other.dense {
            if dense[name] == nil { dense[name] = gradient } else { dense[name]?.add(gradient) }
        }
        for (name, parts) in other.rows { rows[name, default: []] += parts }
    }

    /// One row for each distinct table row that has a gradient, in order of first occurrence.
    ///
    /// - Parameter name: The table.
    /// - Returns: Distinct rows with their summed gradients.
    /// - Complexity: O(elements of the gradients), whatever the size of the table.
    public func merged(_ name: String) -> RowGradient {
        let parts = rows[name] ?? []
        var distinct = DistinctIDs()
        let placed = parts.map { distinct.numbers(of: $0.rows) }
        var sum = Matrix(rows: distinct.ids.count, columns: parts.first?.gradient.columns ?? 0)
        for (part, places) in zip(parts, placed) { sum.scatterAddRowsConcurrently(part.gradient, at: places) }
        return RowGradient(rows: distinct.ids, gradient: sum)
    }
}
