package api

import (
	"errors"
	"fmt"
)

// Reload reads the files of keys and certificate again and lets the audit log look for its file anew. What cannot be taken over stays as it was: the
// error says what, and so do the log and a metric. Connections and requests under way go on; the next request on an old connection needs a key that
// is in force then.
func (s *Server) Reload() error {
	var errs []error
	if s.cfg.Keys != nil {
		errs = append(errs, s.reloaded("keys", s.cfg.Keys.Reload()))
	}
	if s.cfg.Certificate != nil {
		errs = append(errs, s.reloaded("certificate", s.cfg.Certificate.Reload()))
	}
	if s.cfg.Audit != nil {
		errs = append(errs, s.reloaded("audit", s.cfg.Audit.Reopen()))
	}
	s.describeAccess()
	return errors.Join(errs...)
}

func (s *Server) reloaded(what string, err error) error {
	if err == nil {
		s.metrics.reloads.WithLabelValues(what, "ok").Inc()
		return nil
	}
	s.metrics.reloads.WithLabelValues(what, "failed").Inc()
	s.cfg.Logger.Error("a file could not be read again: what it held stays in force", "what", what, "error", err)
	return fmt.Errorf("api: reload: %w", err)
}

// describeAccess says who may call and what about that should be mended.
func (s *Server) describeAccess() {
	if keys := s.cfg.Keys; keys != nil {
		s.cfg.Logger.Info("API keys in force", "file", keys.Path(), "keys", keys.Len())
		if keys.Exposed() {
			s.cfg.Logger.Warn("others may read or change the file of API keys: chmod 0600 it", "file", keys.Path())
		}
	}
	certificate := s.cfg.Certificate
	if certificate == nil {
		return
	}
	ends := certificate.NotAfter()
	s.metrics.certificate.Set(float64(ends.Unix()))
	s.cfg.Logger.Info("certificate in force", "file", certificate.Path(), "not_after", ends.UTC())
	if certificate.Exposed() {
		s.cfg.Logger.Warn("others may read or change the private key: chmod 0600 it", "certificate", certificate.Path())
	}
	if s.cfg.Now().After(ends) {
		s.cfg.Logger.Warn("the certificate has expired: callers will refuse it", "file", certificate.Path(), "not_after", ends.UTC())
	}
}
