import Autodiff
import Kernels
import TestSupport
import Testing

@Suite("Tape") struct TapeTests {
    private let set = ParameterSet([
        "table": gridMatrix(rows: 6, columns: 3, seed: 31), "weights": Matrix([[1, 2, 3]]),
    ])

    @Test("two requests for a parameter give one variable")
    func sharedParameter() {
        let tape = Tape()
        let first = tape.parameter("weights", from: set)
        let second = tape.parameter("weights", from: set)
        let gradients = tape.backward(from: first.multiplied(by: second).sum())
        #expect(gradients.dense["weights"] == Matrix([[2, 4, 6]]))
        #expect(gradients.rows.isEmpty)
    }

    @Test("products have the tape's precision, forward and backward", arguments: Precision.allCases)
    func precision(_ precision: Precision) {
        let (a, b) = (normalMatrix(rows: 64, columns: 80, seed: 1), normalMatrix(rows: 80, columns: 64, seed: 2))
        let (ones, zeros) = (Matrix(rows: 64, columns: 64, repeating: 1), Matrix(rows: 1, columns: 64))
        let product = Matrix.product(a, transposed: false, b, precision: precision)
        for isDense in [false, true] {
            let tape = Tape(precision: precision)
            let (x, weights) = (tape.leaf(a), tape.leaf(b))
            let output = isDense ? x.dense(weights, bias: tape.constant(zeros)) : x.product(weights)
            #expect(output.value == product)
            _ = tape.backward(from: output.sum())
            let gradients = (
                a: Matrix.product(ones, transposed: false, b, transposed: true, precision: precision),
                b: Matrix.product(a, transposed: true, ones, precision: precision)
            )
            #expect(tape.gradient(of: x) == gradients.a && tape.gradient(of: weights) == gradients.b)
        }
        #expect(!Precision.hasBfloat16 || precision == .float32 || product != Matrix.product(a, b))
    }

    @Test("gathered rows give row gradients, one part per gather, with repeats merged")
    func gatheredRows() {
        let tape = Tape()
        let first = tape.gather("table", from: set, rows: [4, 1, 4])
        let second = tape.gather("table", from: set, rows: [1, 0])
        #expect(first.value.row(0) == set["table"].row(4))
        let loss = first.scaled(by: 2).sum().adding(second.scaled(by: 3).sum())
        let gradients = tape.backward(from: loss)
        #expect(gradients.dense.isEmpty)
        #expect(gradients.rows["table"]?.map(\.rows) == [[4, 1, 4], [1, 0]])
        let merged = gradients.merged("table")
        #expect(merged.rows == [4, 1, 0])
        #expect(merged.gradient == Matrix([[4, 4, 4], [5, 5, 5], [3, 3, 3]]))
    }

    @Test("unused parameters and tables have no gradient")
    func unused() {
        let tape = Tape()
        _ = tape.gather("table", from: set, rows: [0])
        let used = tape.parameter("weights", from: set)
        let gradients = tape.backward(from: used.sum())
        #expect(Array(gradients.dense.keys) == ["weights"] && gradients.rows.isEmpty)
    }

    @Test("stopped variables and constants block gradients, and other paths do not")
    func stopped() {
        let tape = Tape()
        let x = tape.leaf(Matrix([[2, 3]]))
        _ = tape.backward(from: x.multiplied(by: x.stoppingGradient()).sum())
        #expect(tape.gradient(of: x) == Matrix([[2, 3]]))
        let other = Tape()
        let constant = other.constant(Matrix([[2, 3]]))
        let leaf = other.leaf(Matrix([[5, 7]]))
        _ = other.backward(from: constant.multiplied(by: leaf).sum())
        #expect(other.gradient(of: constant) == nil)
        #expect(other.gradient(of: leaf) == Matrix([[2, 3]]))
    }

    @Test("workers' gradients add up")
    func addition() {
        func gradients(_ rows: [Int32], _ factor: Float) -> Gradients {
            let tape = Tape()
            let gathered = tape.gather("table", from: set, rows: rows).sum(scale: factor)
            return tape.backward(from: gathered.adding(tape.parameter("weights", from: set).sum(scale: factor)))
        }
        var sum = gradients([2, 3], 1)
        sum.add(gradients([3, 5], 10))
        sum.add(Gradients())
        #expect(sum.dense["weights"] == Matrix([[11, 11, 11]]))
        let merged = sum.merged("table")
        #expect(merged.rows == [2, 3, 5])
        #expect(merged.gradient.elements == [1, 1, 1, 11, 11, 11, 10, 10, 10])
        #expect(sum.merged("absent").rows.isEmpty)
    }

    @Test("a tape that does not record computes the same values")
    func notRecording() {
        func result(_ tape: Tape) -> Variable {
            tape.gather("table", from: set, rows: [1, 5]).activated(.gelu)
                .product(tape.parameter("weights", from: set), transposed: true).sum()
        }
        let recorded = result(Tape())
        #expect(recorded.scalar == result(Tape(recording: false)).scalar)
        _ = recorded.tape.backward(from: recorded)
    }

    @Test("a tape releases its memory after differentiation, and when it does not record")
    func release() {
        weak var recorded: Tape?
        weak var silent: Tape?
        do {
            let tape = Tape()
            recorded = tape
            let weights = tape.parameter("weights", from: set)
            // A branch that the loss does not reach also holds closures.
            let aside = weights.activated(.tanh).scaled(by: 2)
            let loss = weights.multiplied(by: weights).sum()
            _ = tape.backward(from: loss)
            #expect(aside.value.count == 3 && recorded != nil)
            let quiet = Tape(recording: false)
            silent = quiet
            _ = quiet.parameter("weights", from: set).activated(.tanh)
        }
        #expect(recorded == nil)
        #expect(silent == nil)
    }

    @Test("traps on misuse")
    func traps() async {
        await #expect(processExitsWith: .failure) {
            let tape = Tape(recording: false)
            _ = tape.backward(from: tape.leaf(Matrix([[1]])))
        }
        await #expect(processExitsWith: .failure) {
            let tape = Tape()
            _ = tape.backward(from: tape.leaf(Matrix([[1, 2]])))
        }
        await #expect(processExitsWith: .failure) {
            _ = Tape().backward(from: Tape().leaf(Matrix([[1]])))
        }
        await #expect(processExitsWith: .failure) { _ = Tape().parameter("absent", from: ParameterSet()) }
    }
}
