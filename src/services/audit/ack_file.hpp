#pragma once
// Acknowledgements from a file of `doorbuster bench --acks`: one JSON object a line,
//   {"user":"u1","status":201,"code":"...","sequence":1,"sent_at":"...","received_at":"..."}
// with `status` null when no reply came, and `problem` (the last part of the problem type) for refusals.

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
