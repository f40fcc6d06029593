// The id of a topic. librdkafka 2.0 does not tell it, so this asks for it in Kafka's own protocol: Metadata,
// version 12 (https://kafka.apache.org/protocol#The_Messages_Metadata), the first that names topics by id.

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "adapters/kafka/topics.hpp"

namespace doorbuster::kafka {
namespace {

constexpr std::int16_t kMetadata = 3;
constexpr std::int16_t kVersion = 12;
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kLongestAnswer = 16U << 20;
constexpr std::int16_t kUnknownTopic = 3;

using Deadline = std::chrono::steady_clock::time_point;

class Writer {
 public:
  Writer& number(std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  Writer& varint(std::uint64_t value) {
    for (; value > 0x7f; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
    return *this;
  }
  Writer& text(std::string_view value) {
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Reads past the end give zeroes and make it `bad`.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool bad() const { return bad_; }
  std::string_view take(std::size_t count) {
    if (count > bytes_.size()) {
      bad_ = true;
      return {};
    }
    const auto taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::int64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<std::uint8_t>(c);
    return bytes == 2 ? static_cast<std::int16_t>(value) : static_cast<std::int32_t>(value);
  }
  std::size_t varint() {
    std::size_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const auto byte = take(1);
      if (byte.empty()) return 0;
      value |= (static_cast<std::size_t>(byte[0]) & 0x7f) << shift;
      if ((byte[0] & 0x80) == 0) return value;
    }
    bad_ = true;
    return 0;
  }
  /// A compact string that may be null.
  std::string_view text() {
    const auto size = varint();
    return size == 0 ? std::string_view() : take(size - 1);
  }
  void tags() {
    for (auto left = varint(); left > 0 && !bad_; --left) {
      varint();
      take(varint());
    }
  }

 private:
  std::string_view bytes_;
  bool bad_ = false;
};

std::string request_of(const std::string& topic) {
  constexpr std::string_view kClient = "doorbuster";
  Writer body;
  body.number(kMetadata, 2).number(kVersion, 2).number(1, 4).number(kClient.size(), 2).text(kClient);
  body.varint(0);                  // no tags in the header
  body.varint(2);                  // one topic
  body.number(0, 8).number(0, 8);  // its id is asked for
  body.varint(topic.size() + 1)
      .text(topic)
      .varint(0)     // by its name
      .number(0, 1)  // it is not made
      .number(0, 1)
      .varint(0);
  Writer framed;
  framed.number(body.bytes().size(), 4).text(body.bytes());
  return framed.bytes();
}

Result<std::string> id_in(std::string_view answer, const std::string& topic) {
  Reader reader(answer);
  reader.number(4);  // correlation
  reader.tags();
  reader.number(4);  // throttle time
  for (auto brokers = reader.varint(); brokers > 1 && !reader.bad(); --brokers) {
    reader.number(4);
    reader.text();
    reader.number(4);
    reader.text();
    reader.tags();
  }
  reader.text();     // cluster
  reader.number(4);  // controller
  if (reader.varint() != 2 || reader.bad())
    return make_error(ErrorCode::unavailable, "kafka: an answer to Metadata that cannot be read");
  const auto error = reader.number(2);
  reader.text();
  const auto id = reader.take(kIdBytes);
  if (error == kUnknownTopic)
    return make_error(ErrorCode::not_found, fmt::format("kafka.topic: there is no topic '{}'", topic),
                      "kafka.topic");
  if (error != 0 || reader.bad())
    return make_error(ErrorCode::unavailable, fmt::format("kafka: topic '{}': error {}", topic, error));
  std::string text;
  for (const char c : id) text += fmt::format("{:02x}", static_cast<std::uint8_t>(c));
  return text;
}

class Connection {
 public:
  explicit Connection(Deadline deadline) : deadline_(deadline) {}
  ~Connection() {
    if (socket_ >= 0) ::close(socket_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool open(const std::string& place) {
    const auto colon = place.rfind(':');
    const auto host = place.substr(0, colon);
    const auto port = colon == std::string::npos ? "9092" : place.substr(colon + 1);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return false;
    for (const auto* one = found; one != nullptr && socket_ < 0; one = one->ai_next) {
      socket_ = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (socket_ < 0) continue;
      if (::connect(socket_, one->ai_addr, one->ai_addrlen) != 0 &&
          (errno != EINPROGRESS || !wait(POLLOUT) || !connected())) {
        ::close(socket_);
        socket_ = -1;
      }
    }
    ::freeaddrinfo(found);
    return socket_ >= 0;
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (sent <= 0 && !wait(POLLOUT)) return false;
    }
    return true;
  }
  bool receive(std::string& bytes, std::size_t count) {
    bytes.resize(count);
    for (std::size_t have = 0; have < count;) {
      const auto got = ::recv(socket_, bytes.data() + have, count - have, 0);
      if (got == 0) return false;
      if (got > 0) have += static_cast<std::size_t>(got);
      if (got < 0 && !wait(POLLIN)) return false;
    }
    return true;
  }

 private:
  bool wait(short events) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
    pollfd one{socket_, events, 0};
    return left.count() > 0 && ::poll(&one, 1, static_cast<int>(left.count())) == 1;
  }
  bool connected() const {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }

  Deadline deadline_;
  int socket_ = -1;
};

}  // namespace

Result<std::string> topic_identity(const KafkaOptions& options) {
  const auto request = request_of(options.topic);
  std::string_view brokers = options.brokers;
  while (!brokers.empty()) {
    const auto comma = brokers.find(',');
    const std::string place(brokers.substr(0, comma));
    brokers.remove_prefix(comma == std::string_view::npos ? brokers.size() : comma + 1);
    Connection connection(std::chrono::steady_clock::now() + options.timeout);
    std::string answer;
    if (!connection.open(place) || !connection.send(request) || !connection.receive(answer, 4)) continue;
    std::size_t size = 0;
    for (const char c : answer) size = size << 8 | static_cast<std::uint8_t>(c);
    if (size <= kLongestAnswer && connection.receive(answer, size)) return id_in(answer, options.topic);
  }
  return make_error(ErrorCode::unavailable,
                    fmt::format("kafka.brokers: no broker answers at '{}'", options.brokers),
                    "kafka.brokers");
}

}  // namespace doorbuster::kafka
