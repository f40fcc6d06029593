#include "loadlab/acks.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <cerrno>
#include <cstring>
#include <iterator>

namespace doorbuster::loadlab {

void append_line(const Ack& ack, std::string& out) {
  auto at = std::back_inserter(out);
  fmt::format_to(at, R"({{"user":"{}","status":)", ack.user);
  if (ack.status == 0) {
    out += "null";
  } else {
    fmt::format_to(at, "{}", ack.status);
  }
  if (!ack.problem.empty()) fmt::format_to(at, R"(,"problem":"{}")", ack.problem);
  if (ack.code.empty()) {
    out += R"(,"code":null)";
  } else {
    fmt::format_to(at, R"(,"code":"{}")", ack.code.view());
  }
  if (ack.sequence == 0) {
    out += R"(,"sequence":null)";
  } else {
    fmt::format_to(at, R"(,"sequence":{})", ack.sequence);
  }
  fmt::format_to(at, R"(,"sent_us":{},"received_us":)", ack.sent_us);
  if (ack.received_us == 0) {
    out += "null}\n";
  } else {
    fmt::format_to(at, "{}}}\n", ack.received_us);
  }
}

Result<std::unique_ptr<AcksFile>> AcksFile::create(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) {
    return make_error(ErrorCode::invalid, fmt::format("cannot write {}: {}", path, std::strerror(errno)),
                      "--acks");
  }
  return std::unique_ptr<AcksFile>(new AcksFile(path, file));
}

AcksFile::AcksFile(std::string path, std::FILE* file)
    : path_(std::move(path)), file_(file), thread_([this] { work(); }) {
  pthread_setname_np(thread_.native_handle(), "acks");
}

AcksFile::~AcksFile() {
  (void)close();
}

void AcksFile::put(Block block) {
  if (block.empty()) return;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kMostBlocks; });
  waiting_.push_back(std::move(block));
  changed_.notify_all();
}

void AcksFile::work() {
  std::string text;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const auto block = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    lock.unlock();
    text.clear();
    for (const auto& ack : block) append_line(ack, text);
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0) {
      write_error_ = errno;
    }
    lock.lock();
  }
}

Result<void> AcksFile::close() {
  if (file_ == nullptr) return {};
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  thread_.join();
  if (std::fclose(file_) != 0 && write_error_ == 0) write_error_ = errno;
  file_ = nullptr;
  if (write_error_ == 0) return {};
  return make_error(ErrorCode::unavailable,
                    fmt::format("{} is not complete: {}", path_, std::strerror(write_error_)), "--acks");
}

}  // namespace doorbuster::loadlab
