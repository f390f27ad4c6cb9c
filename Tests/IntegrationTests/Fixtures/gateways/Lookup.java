// Prints whether sessions may pass: java Lookup.java URL ID ...
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Optional;

public class Lookup {
    // In milliseconds; the first request of a process takes longest, because it loads classes. -Dlimit=250 sets another.
    private static final Duration LIMIT = Duration.ofMillis(Long.getLong("limit", 1000));
    // One client for the whole program: it keeps its connections.
    private static final HttpClient CLIENT =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(LIMIT).build();

    /** Returns the user, or empty unless Sluice says that the session may pass. */
    static Optional<String> allowed(URI door, String session) {
        try {
            var request = HttpRequest.newBuilder(door).timeout(LIMIT).header("X-Device-Session-Id", session).build();
            var response = CLIENT.send(request, HttpResponse.BodyHandlers.discarding());
            return response.statusCode() == 200 ? response.headers().firstValue("X-User-Id") : Optional.empty();
        } catch (IOException | IllegalArgumentException error) {
            return Optional.empty();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }

    public static void main(String[] arguments) {
        for (int index = 1; index < arguments.length; index++) {
            var user = allowed(URI.create(arguments[0]), arguments[index]);
            System.out.println(arguments[index] + (user.isPresent() ? " allowed " + user.get() : " refused"));
        }
    }
}
