import Foundation
import Kernels

/// ``sinusoids(positions:width:)`` of `0..<count`.
func sinusoids(count: Int, width: Int) -> Matrix { sinusoids(positions: (0..<count).map(Double.init), width: width) }

/// Sines, then cosines, of `position * f_j` with `f_j = 10000^(-j / (width/2 - 1))`.
///
/// Source: the step embedding of DreamRec (method, section 4.1). Shape `[positions.count, width]`.
func sinusoids(positions: [Double], width: Int) -> Matrix {
    let half = width / 2
    let frequencies = (0..<half).map { exp(-log(10000) * Double($0) / Double(max(1, half - 1))) }
    return Matrix(
        positions.map { position in
            frequencies.map { Float(sin(position * $0)) } + frequencies.map { Float(cos(position * $0)) }
        }
    )
}
