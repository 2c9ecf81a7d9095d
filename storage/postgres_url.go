package storage

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// hidden stands for what must not be shown.
const hidden = "xxxxx"

// shownParams are the parameters of a URL whose values RedactSink shows; any other may be a secret of some way to authenticate.
var shownParams = map[string]bool{
	"application_name": true, "connect_timeout": true, "search_path": true, "sslmode": true, "sslrootcert": true, "target_session_attrs": true,
}

func isPostgres(sink string) bool {
	return strings.HasPrefix(sink, "postgres://") || strings.HasPrefix(sink, "postgresql://")
}

// parsePostgres reads the URL the way PostgreSQL's own programs do, with the same environment and password file. Its errors are ErrConfig and
// hold nothing of the URL that could be a password.
func parsePostgres(sink string) (*pgx.ConnConfig, error) {
	if _, err := splitURL(sink); err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(sink)
	if err != nil {
		// The library hides the passwords that it finds, in the text alone: so the text is all that is kept of it.
		return nil, fmt.Errorf("%w: the URL of the PostgreSQL sink: %s", ErrConfig, hideSecrets(sink, err.Error()))
	}
	return cfg, nil
}

// splitURL refuses a URL in which an end of the password cannot be told: then nothing of it may be shown.
func splitURL(sink string) (*url.URL, error) {
	u, err := url.Parse(sink)
	ats := strings.Count(sink, "@")
	if err != nil || u.Fragment != "" || ats > 1 || ats == 1 && u.User == nil {
		return nil, fmt.Errorf("%w: the URL of the PostgreSQL sink cannot be read: special characters of a password or name are written as "+
			"%%XX, and better than in the URL a password stands in a password file (PGPASSFILE)", ErrConfig)
	}
	return u, nil
}

// RedactSink returns a sink's name as it may be shown: a URL without its passwords.
func RedactSink(sink string) string {
	if !isPostgres(sink) {
		if strings.ContainsAny(sink, ":@=") {
			return hidden
		}
		return sink
	}
	u, err := splitURL(sink)
	if err != nil {
		return "postgres://" + hidden
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), hidden)
	}
	query := u.Query()
	for name := range query {
		if !shownParams[name] {
			query[name] = []string{hidden}
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// hideSecrets takes the secrets of a URL, decoded or not, out of a text.
func hideSecrets(sink, text string) string {
	u, err := splitURL(sink)
	if err != nil {
		return hidden
	}
	var secrets []string
	if password, has := u.User.Password(); has {
		_, raw, _ := strings.Cut(u.User.String(), ":")
		secrets = append(secrets, password, raw)
	}
	for name, values := range u.Query() {
		if !shownParams[name] {
			secrets = append(secrets, values...)
		}
	}
	text = strings.ReplaceAll(text, sink, RedactSink(sink))
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, hidden)
		}
	}
	return text
}
