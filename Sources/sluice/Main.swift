import Worker

@main
enum Main {
    static func main() async {
        await SluiceCommand.main(catalogue: .standard)
    }
}
