#pragma once
// Acknowledgements from a file of `doorbuster bench --acks`: one JSON object a line,
//   {"user":"17","status":201,"code":"...","sequence":1,"sent_us":1,"received_us":2}
// Times are microseconds since 1970; what is absent is null, the status, too, when no reply came. A refusal
// may have a `problem`, the last part of its problem type ("sold-out", "ended").

#include <fstream>
#include <string>

#include "services/audit/audit_input.hpp"

namespace doorbuster::audit {

/// Reads one line. \returns malformed, invalid naming the field
Result<Acknowledgement> parse_acknowledgement(std::string_view line);

class AckFile final : public AcknowledgementSource {
 public:
  /// \returns unavailable when it cannot be opened
  static Result<AckFile> open(const std::string& path);
  /// \returns malformed, naming file and line. A last line without its end is a generator that was killed:
  /// left out.
  Result<std::vector<Acknowledgement>> next(std::size_t max) override;

 private:
  AckFile(std::string path, std::ifstream file) : path_(std::move(path)), file_(std::move(file)) {}
  std::string path_;
  std::ifstream file_;
  std::uint64_t line_ = 0;
};

}  // namespace doorbuster::audit
