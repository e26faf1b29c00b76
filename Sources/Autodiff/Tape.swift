public import Kernels

/// Records operations on matrices and differentiates them in reverse.
///
/// One tape serves one forward pass of one worker. Create the tape, build the loss, call ``backward(from:)``, then
/// drop the tape. Its operations refer to the tape until then: a recording tape that is dropped without the call is
/// never freed. For a value alone, use a tape that does not record. Parameters enter through ``parameter(_:from:)`` and
/// ``gather(_:from:rows:)``; their gradients come back as ``Gradients``. Source: Griewank and Walther, "Evaluating
/// Derivatives", 2008, chapter 3 (reverse mode on a linear trace).
public final class Tape {
    /// Adds to the gradients of an operation's inputs, given the gradient of its output.
    typealias Backward = (_ gradient: Matrix, _ tape: Tape) -> Void

    private struct Node {
        var value: Matrix
        var gradient: Matrix?
        var needsGradient: Bool
        var backward: Backward?
    }

    private var nodes: [Node] = []
    private var parameters: [String: Int] = [:]
    private var tables: [(name: String, rows: [Int32], node: Int)] = []
    private let isRecording: Bool
    /// The arithmetic of `product` and `dense`, forward and backward.
    let precision: Precision

    /// An empty tape.
    ///
    /// - Parameters:
    ///   - recording: If false, the tape computes values and keeps nothing for gradients.
    ///   - precision: The arithmetic of `product` and `dense`, forward and backward; others compute in float32.
    public init(recording: Bool = true, precision: Precision = .float32) {
        isRecording = recording
        self.precision = precision
    }

    /// A value that is not differentiated.
    public func constant(_ value: Matrix) -> Variable {
        append(value, needsGradient: false, backward: nil)
    }

    /// A whole named parameter; a second call gives the same variable.
    ///
    /// - Precondition: The set contains the parameter.
    public func parameter(_ name: String, from set: ParameterSet) -> Variable {
        if let known = parameters[name] { return Variable(tape: self, id: known) }
        let variable = append(set[name], needsGradient: isRecording, backward: nil)
        parameters[name] = variable.id
        return variable
    }

    /// Rows of a named embedding table, `[rows.count, d]`; only these rows get a gradient.
    public func gather(_ name: String, from set: ParameterSet, rows: [Int32]) -> Variable {
        let variable = append(set[name].gatheringRows(rows), needsGradient: isRecording, backward: nil)
        if isRecording { tables.append((name, rows, variable.id)) }
        return variable
    }

    /// Differentiates a scalar with respect to everything recorded.
    ///
    /// - Parameter loss: A `[1, 1]` variable of this tape.
    /// - Returns: Gradients of all parameters and gathered rows that were used; unused ones are absent. The call
    ///   consumes the trace: a tape differentiates only once.
    public func backward(from loss: Variable) -> Gradients {
        precondition(loss.tape === self, "the loss belongs to another tape")
        precondition(loss.value.count == 1, "a loss is a scalar, got shape \(loss.value.shape)")
        precondition(isRecording, "this tape does not record")
        nodes[loss.id].gradient = Matrix(rows: 1, columns: 1, repeating: 1)
        for id in stride(from: loss.id, through: 0, by: -1) {
            guard let backward = nodes[id].backward, let gradient = nodes[id].gradient else { continue }
            nodes[id].backward = nil
            nodes[id].gradient = nil
            backward(gradient, self)
        }
        // Closures hold variables, and variables hold the tape: dropping the closures breaks the cycle.
        for id in nodes.indices { nodes[id].backward = nil }
        var result = Gradients()
        for (name, id) in parameters { result.dense[name] = nodes[id].gradient }
        for table in tables {
            guard let gradient = nodes[table.node].gradient else { continue }
            result.rows[table.name, default: []].append(RowGradient(rows: table.rows, gradient: gradient))
        }
        return result
    }

    /// The gradient of a leaf: a parameter, a gathered table, or a value made by `leaf(_:)`.
    package func gradient(of variable: Variable) -> Matrix? { nodes[variable.id].gradient }

    /// A differentiable leaf that is not a parameter, for tests of single operations.
    package func leaf(_ value: Matrix) -> Variable {
        append(value, needsGradient: true, backward: nil)
    }

    /// Records an operation; `backward` is dropped when no input needs a gradient.
    func record(_ value: Matrix, inputs: [Variable], backward: @escaping Backward) -> Variable {
        let needed = isRecording && inputs.contains { needsGradient($0) }
        return append(value, needsGradient: needed, backward: needed ? backward : nil)
    }

    /// Whether gradients flow into a variable.
    func needsGradient(_ variable: Variable) -> Bool {
        precondition(variable.tape === self, "a variable of another tape")
        return nodes[variable.id].needsGradient
    }

    /// Adds a computed gradient to a variable's gradient.
    func accumulate(_ variable: Variable, _ gradient: @autoclosure () -> Matrix) {
        guard needsGradient(variable) else { return }
        let addition = gradient()
        precondition(
            addition.shape == nodes[variable.id].value.shape,
            "gradient \(addition.shape) for a value of shape \(nodes[variable.id].value.shape)"
        )
        if nodes[variable.id].gradient == nil {
            nodes[variable.id].gradient = addition
        } else {
            nodes[variable.id].gradient?.add(addition)
        }
    }

    /// Lets `body` add into a variable's gradient, which starts at zero.
    func accumulate(_ variable: Variable, in body: (inout Matrix) -> Void) {
        guard needsGradient(variable) else { return }
        let shape = nodes[variable.id].value
        var gradient = nodes[variable.id].gradient ?? Matrix(rows: shape.rows, columns: shape.columns)
        nodes[variable.id].gradient = nil
        body(&gradient)
        nodes[variable.id].gradient = gradient
    }

    /// Adds `op(a) op(b)` to a variable's gradient; the first addition fills it without a pass of zeros.
    func accumulate(
        _ variable: Variable,
        productOf a: Matrix,
        transposed transposeA: Bool,
        _ b: Matrix,
        transposed transposeB: Bool
    ) {
        guard needsGradient(variable) else { return }
        if nodes[variable.id].gradient == nil {
            accumulate(
                variable,
                Matrix.product(a, transposed: transposeA, b, transposed: transposeB, precision: precision)
            )
        } else {
            accumulate(variable) {
                $0.addProduct(a, transposed: transposeA, b, transposed: transposeB, precision: precision)
            }
        }
    }

    fileprivate func value(_ id: Int) -> Matrix { nodes[id].value }

    private func append(_ value: Matrix, needsGradient: Bool, backward: Backward?) -> Variable {
        nodes.append(Node(value: value, gradient: nil, needsGradient: needsGradient, backward: backward))
        return Variable(tape: self, id: nodes.count - 1)
    }
}

/// A matrix on a tape.
public struct Variable {
    /// The tape that recorded this value.
    public let tape: Tape
    let id: Int

    /// The value.
    public var value: Matrix { tape.value(id) }

    /// The value of a `[1, 1]` variable.
    public var scalar: Float {
        precondition(value.count == 1, "a scalar has shape [1, 1], got \(value.shape)")
        return value[0, 0]
    }
}
