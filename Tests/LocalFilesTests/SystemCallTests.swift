import Foundation
import LocalFiles
import Testing

@Suite struct SystemCallTests {
    @Test("A call is made again while a signal interrupts it, and no longer")
    func interrupted() {
        var calls = 0
        let result = SystemCall.uninterrupted {
            calls += 1
            errno = calls < 3 ? EINTR : EIO
            return -1
        }
        let number = errno
        #expect(result == -1 && calls == 3 && number == EIO)
    }

    @Test("A successful call is made once, whatever errno is", arguments: [0, 7])
    func successful(value: Int) {
        var calls = 0
        errno = EINTR
        let result = SystemCall.uninterrupted {
            calls += 1
            return value
        }
        #expect(result == value && calls == 1)
    }
}
